"""`./doit reproduce` as a user runs it, on the small image."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.project import Project, clone
from tests.release.conftest import NAME, Released
from toolchain import release
from toolchain.digest import sha256
from toolchain.reproduce.executors import ORDER, trouble
from toolchain.store import Store


def left(project: Project) -> list[str]:
    """What a run has left in the store's temporary folder."""
    return sorted(path.name for path in (project.cache / "ingot/tmp").glob("work-*"))


@pytest.mark.slow  # the README's own `./doit reproduce` shows the same
def test_everything_is_the_same(smoke: Project) -> None:
    """With another executor, where one works here."""
    count, used = len(smoke.manifest()), {entry["executor"] for entry in smoke.manifest().values()}
    before = sha256(smoke.folder / "build/smoke/manifest.json")
    done = smoke.doit("reproduce", "image=smoke")
    assert f"all {count} of {count} identical with build/smoke/manifest.json" in done.stdout
    assert len(re.findall(r"^same +[\w:/]+: ", done.stdout, re.M)) == count
    varied = set(re.findall(r"^varied +([\w ]+):", done.stdout, re.M))
    assert {"folder", "umask", "time zone", "locale", "user", "home", "SOURCE_DATE_EPOCH"} <= varied
    if os.geteuid() == 0:
        assert "host name" in varied
    if (os.cpu_count() or 1) > 1:
        assert "CPUs" in varied
    others = [name for name in ORDER if name not in used and trouble(name) is None]
    assert bool(others) == ("executor" in varied)
    assert re.search(r"^taken +toolchain root cc: .* [0-9a-f]{64}$", done.stdout, re.M)
    assert f"rebuilt {count} stages, taken 0;" in done.stdout and "   built  train" in done.stderr
    assert not left(smoke) and not (smoke.folder / "build/smoke/reproduce").exists()
    assert sha256(smoke.folder / "build/smoke/manifest.json") == before


def test_a_changed_compiler_flag(smoke: Project) -> None:
    """The first stage that differs, the flag, and the section of the object."""
    first = next(iter(sorted(smoke.manifest())))
    smoke.edit("toolchain/cc.py", '"-O2"', '"-O3"')
    done = smoke.doit("reproduce", "image=smoke", "toolchain=sandbox", status=1, env={"PATH": "/usr/bin:/bin"})
    assert first.startswith("compile:engine/")
    assert f"the first difference: {first}: DIFFERS" in done.stdout
    assert re.search(r"^argument .*: -O2 -> -O3$", done.stdout, re.M) and "section .text" in done.stdout
    assert re.search(rf"^DIFFERS +{first}: ", done.stdout, re.M) and re.search(r"^same +dataset: ", done.stdout, re.M)
    kept = smoke.folder / "build/smoke/reproduce"
    rebuilt = json.loads((kept / "manifest.json").read_text())
    output, made = next(iter(rebuilt[first]["outputs"].items()))
    assert sha256(kept / first.replace(":", "_").replace("/", "_") / output) == made["sha256"]
    assert made["sha256"] != smoke.manifest()[first]["outputs"][output]["sha256"]
    assert not left(smoke) and "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_release_whose_program_was_altered(released: Released, tmp_path: Path) -> None:
    """Each stage and the image are the same; the program beside it is not, and that is said of it alone."""
    project = clone(released.project, tmp_path)
    program = project.folder / "dist" / NAME / release.EFI
    data = bytearray(program.read_bytes())
    data[len(data) // 2] ^= 1
    program.write_bytes(data)
    done = project.doit("reproduce", "image=smoke", f"from=dist/{NAME}", status=1)
    assert re.findall(r"^DIFFERS .*", done.stdout, re.M) == [f"DIFFERS   the release: {release.EFI} (? -> rebuilt)"]
    assert re.search(rf"^same +the release: {release.packed_of('smoke', NAME.partition('-')[2])}", done.stdout, re.M)
    assert f"the first difference: the release: DIFFERS: {release.EFI}" in done.stdout
    assert "it was altered after it was built" in done.stdout and "section ." in done.stdout
    assert "compile:host" not in done.stdout  # of what the release does not hold, nothing was built


def test_a_release_of_another_image(released: Released, tmp_path: Path) -> None:
    project = clone(released.project, tmp_path)
    done = project.doit("reproduce", "image=tales", f"from=dist/{NAME}", status=1)
    assert "is a release of smoke, not of tales" in done.stderr and "image=smoke" in done.stderr


def test_nothing_to_compare_with(project: Project) -> None:
    done = project.doit("reproduce", "image=smoke", status=1)
    assert "nothing to compare with" in done.stderr and "./doit image=smoke" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_end_leaves_nothing(smoke: Project, number: signal.Signals) -> None:
    """Once the rebuild is at work: it ends too. Its folder is gone; after SIGKILL with the next build."""
    run = smoke.start("reproduce", "image=smoke", "toolchain=sandbox")
    assert run.stderr is not None
    for line in run.stderr:
        if "built" in line and "compile" in line:
            break
    folder = left(smoke)
    assert len(folder) == 1
    run.send_signal(number)
    rest = run.stderr.read()  # to its end: the rebuild holds it too
    assert run.wait(60) == (130 if number == signal.SIGINT else -9) and "Traceback" not in rest
    assert ("the rebuild was ended" in rest) == (number == signal.SIGINT) and "are kept" not in rest
    assert bool(left(smoke)) == (number == signal.SIGKILL)
    assert folder[0] not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    Store(smoke.cache / "ingot").sweep()
    assert not left(smoke)
