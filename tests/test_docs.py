"""Every command that README and docs show works: each is run, on the small image."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import ROOT, Project, unpacked

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> list[str]:
    """The `./doit …` lines of all code blocks, comments cut off."""
    found = []
    for page in PAGES:
        for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
            for line in block.splitlines():
                match = re.match(r"^(?:\$ )?(\./doit(?: .*)?)$", line)
                if match:
                    found.append(shlex.join(shlex.split(match[1], comments=True)))
    return sorted(set(found))


# These need a commit and each other: tests/release/test_readme.py runs them.
RELEASE = re.compile(r"\./doit (release sign=|verify dist/|reproduce from=)")


def words_of(command: str) -> list[str]:
    """The command's words, on the image that is quick to build."""
    words = [re.sub(r"^image=\w+$", "image=smoke", word) for word in shlex.split(command, comments=True)[1:]]
    if not any(word.startswith("image=") for word in words):
        words.append("image=smoke")
    return words


def test_pages_show_commands() -> None:
    assert len(commands()) >= 8


@pytest.mark.qemu
@pytest.mark.parametrize("command", [command for command in commands() if not RELEASE.match(command)])
def test_command_works(command: str, smoke: Project, data: Callable[[str], Path]) -> None:
    words = words_of(command)
    if any(word.startswith("data_dir=") for word in words):
        words = [f"data_dir={data('tinyshakespeare.txt').parent}" if w.startswith("data_dir=") else w for w in words]
    if words[0] == "boot" and not any(word.startswith("accel=") for word in words):
        words.append("accel=tcg")
    if words[0] == "test":  # not this suite within itself
        (smoke.folder / "tests").mkdir()
        (smoke.folder / "tests/test_one.py").write_text("def test_one() -> None:\n    assert True\n")
    if words[0] in ("compare", "demo", "infer", "plots", "validate"):
        unpacked("ml")  # by one of the tests that share it
    done = smoke.doit(*words)
    assert "Traceback" not in done.stderr


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_tree_in_the_readme_is_true() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for row in re.findall(r"^\| (`[^|]+) \|", text, re.M):
        for path in re.findall(r"`([\w./]+)`", row):
            assert (ROOT / path).exists(), path


def test_the_files_that_docs_name_are_there() -> None:
    for page in PAGES:
        for path in re.findall(r"`((?:toolchain|model|efi_src|images|docs|tests)/[\w./]*)`", page.read_text()):
            assert (ROOT / path).exists(), f"{page.name}: {path}"
