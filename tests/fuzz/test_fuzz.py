"""./doit fuzz: every target is built and run; what it finds is kept, told, and reproduced by the command it shows."""

from __future__ import annotations

import contextlib
import re
import shlex
import signal
import time
from pathlib import Path

import pytest

from tests.project import ROOT, Project, clone
from toolchain.fuzz import KEPT, Tally, pack, unpack

TARGETS = ["cfg", "chat", "gguf", "lineedit", "llama2c", "reference", "ringlog", "session", "tokenizer_bin",
           "tokenizer_gguf"]


@pytest.fixture
def fuzzers(fuzzers_template: Project, tmp_path: Path) -> Project:
    """A project of its own in which the targets are built."""
    return clone(fuzzers_template, tmp_path)


def test_every_target_runs(fuzzers_template: Project) -> None:
    """Over the kept corpus and 2,000 inputs in all, whichever are more: a line each, and no finding."""
    said = (fuzzers_template.folder.parent / "said").read_text()
    found = dict(re.findall(r"^(\w+): ([\d,]+) runs, [\d,]+ a second, coverage \d", said, re.M))
    assert sorted(found) == TARGETS
    assert all(int(runs.replace(",", "")) >= 2000 for runs in found.values())


def test_the_kept_corpus_is_small() -> None:
    assert sum((ROOT / KEPT / f"{target}.tar.xz").stat().st_size for target in TARGETS) < 500_000
    assert all(len(unpack(ROOT / KEPT / f"{target}.tar.xz")) > 2 for target in TARGETS)


def test_a_finding(fuzzers: Project) -> None:
    """An error planted into the engine is found, said with a command that shows it, and gone with its mending."""
    good, bad = "return p.n > 0 && p.n <= CFG_NAME_MAX;", "return p.n > 0;"
    fuzzers.edit("efi_src/engine/cfg.c", good, bad)
    pack({"long": b"x" * 60 + b" = 1"}, fuzzers.folder / KEPT / "cfg.tar.xz")
    done = fuzzers.doit("fuzz", "target=cfg", "runs=1000", status=1)
    match = re.search(r"^cfg: found (build/fuzz/cfg/found/crash-\w+)\nhint: (\./doit fuzz .*)$", done.stderr, re.M)
    assert match and (fuzzers.folder / match[1]).is_file(), done.stderr
    words = shlex.split(match[2])[1:]
    again = fuzzers.doit(*words, status=1)
    assert "out of bounds" in again.stderr and "/build/efi_src/engine/cfg.c:" in again.stderr
    fuzzers.edit("efi_src/engine/cfg.c", bad, good)
    assert "ERROR" not in fuzzers.doit(*words).stderr


def test_keep(fuzzers: Project) -> None:
    """The kept corpus becomes what reaches as much as all that was found."""
    kept = fuzzers.folder / KEPT / "cfg.tar.xz"
    kept.unlink()
    done = fuzzers.doit("fuzz", "target=cfg", "keep=1")
    count = len(unpack(kept))
    assert f"cfg: {count} files in {KEPT / 'cfg.tar.xz'}" in done.stderr
    assert 3 < count < len(list((fuzzers.folder / "build/fuzz/cfg/found/corpus").iterdir()))


def test_ctrl_c_leaves_nothing(fuzzers: Project) -> None:
    with fuzzers.start("fuzz", "target=cfg", "seconds=600") as child:
        deadline = time.monotonic() + 60
        while not running(fuzzers):
            assert child.poll() is None, child.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert said.endswith("interrupted: what was found so far is kept in build/fuzz\n")
    assert not running(fuzzers)
    assert not list((fuzzers.cache / "ingot/tmp").iterdir())


def running(project: Project) -> list[str]:
    """The command lines of this project's sandboxes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if "bwrap" in line and str(project.cache) in line and "fuzz-cfg" in line:
                found.append(line)
    return found


@pytest.mark.parametrize(("words", "error"), [
    (["target=gguff"], "there is no fuzz target gguff"),
    (["seconds=0"], "seconds=0 is no whole number above 0"),
    (["runs=many"], "runs=many is no whole number above 0"),
    (["input=README.md"], "input= needs the target that is to read it"),
    (["target=cfg", "input=nothing"], "input=nothing is not a file"),
    (["cfg"], "fuzz takes no word 'cfg'"),
])
def test_wrong_words(fuzzers_template: Project, words: list[str], error: str) -> None:
    said = fuzzers_template.doit("fuzz", *words, status=1).stderr
    assert f"error: {error}" in said and "hint: " in said


def test_progress() -> None:
    tally = Tally()
    assert tally.read("#2048\tpulse  cov: 14 ft: 16 corp: 3/97b lim: 21 exec/s: 1024 rss: 31Mb")
    assert not tally.read("#2\tINITED cov") and not tally.read("stat::number_of_executed_units: 5000")
    assert tally.text() == "5,000 runs, 1,024 a second, coverage 14, features 16, corpus 3"
    assert list(tally.last) == ["#2\tINITED cov"]
