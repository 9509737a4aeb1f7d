"""ingot.cfg beside the chat: what is right in it holds from the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.host.conftest import Run


def said(run: Run, tiny: Path, folder: Path, cfg: bytes, typed: bytes, *words: str) -> list[str]:
    (folder / "ingot.cfg").write_bytes(cfg)
    return run(tiny, "--chat", *words, stdin=typed, cwd=folder).stdout.decode().split("\n> ")


def test_settings_hold(run: Run, tiny: Path, tmp_path: Path) -> None:
    banner, temp, stats, attn, seed, _ = said(
        run, tiny, tmp_path, b"temp = 0.25\r\nstats = off\nattn = scalar # slow\nseed = 9\nmodel = tiny\n",
        b"/temp\r/stats\r/attn\r/seed\r")
    assert banner.startswith("[cpu] ") and banner.splitlines()[0].endswith(" kernel=scalar")
    assert [part.splitlines()[1] for part in (temp, stats, attn, seed)] == [
        "temp=0.25", "stats=off", "attn=scalar", "seed=9"]


def test_flags_come_first(run: Run, tiny: Path, tmp_path: Path) -> None:
    _, temp, top_k, _ = said(run, tiny, tmp_path, b"temp = 0.25\ntop_k = 5\n", b"/temp\r/top_k\r", "-t", "0.5")
    assert (temp, top_k) == ("/temp\ntemp=0.5\n", "/top_k\ntop_k=5\n")
    assert " kernel=scalar\n" in said(run, tiny, tmp_path, b"attn = sse2\n", b"", "--kernel", "scalar")[0]


def test_no_file_and_an_empty_one(run: Run, tiny: Path, tmp_path: Path) -> None:
    assert run(tiny, "--chat", cwd=tmp_path).stdout.startswith(b"[cpu] ")
    assert said(run, tiny, tmp_path, b"", b"")[0].startswith("[cpu] ")


@pytest.mark.parametrize(("line", "problem"), [
    (b"tmep = 1", "no setting tmep; nearest: temp"),
    (b"stat = on", "no setting stat; nearest: stats"),
    (b"modle = x", "no setting modle; nearest: model"),
    (b"stats = maybe", "stats must be on or off, not: maybe"),
    (b"attn = avx3", "no kernel is called avx3; there are auto, scalar, sse2, avx2, avx512 and avx512vnni"),
    (b"model = tini", "no model tini; nearest: tiny"),
    (b"temp = hot", "temp must be a number from 0 to 100, not hot"),
])
def test_problems_are_told_and_the_rest_is_used(run: Run, tiny: Path, tmp_path: Path, line: bytes,
                                                problem: str) -> None:
    banner, temp, _ = said(run, tiny, tmp_path, b"# mine\n" + line + b"\ntemp = 0.75\n", b"/temp\r")
    assert banner.splitlines()[0] == f"ingot.cfg:2: {problem}"
    assert temp == "/temp\ntemp=0.75\n"


def test_a_file_that_is_too_large(run: Run, tiny: Path, tmp_path: Path) -> None:
    banner, temp, _ = said(run, tiny, tmp_path, b"temp = 2\n" * 9000, b"/temp\r", "-t", "1")
    assert banner.startswith("ingot.cfg: larger than 65536 bytes: not used\n[cpu]")
    assert temp == "/temp\ntemp=1\n"
