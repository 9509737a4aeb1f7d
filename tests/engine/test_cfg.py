"""The settings file: what is right in it is used, what is wrong is told, whatever its bytes are."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.engine.hostile import answers
from tests.engine.test_settings import DEFAULTS

WHOLE = b"# settings\r\ntemp = 0.5\r\n\r\n  top_k=40   # of all\nstop_nl = on\n\tseed\t=\t7\t\n"


def read(program: Path, data: bytes) -> tuple[list[str], dict[str, str]]:
    """The problems, and what is no longer as it was."""
    lines = answers(program, "c", [data])[0]
    at = next(i for i, line in enumerate(lines) if line.endswith(" problems") and line.split()[0].isdigit())
    now = dict(line.split("=", 1) for line in lines[at + 1 :])
    assert list(now) == list(DEFAULTS)
    problems = lines[:at]
    told = int(lines[at].split()[0])
    assert len(problems) == (told if told <= 8 else 9)
    return problems, {name: value for name, value in now.items() if DEFAULTS[name] != value}


def test_a_file(hostile_cases: Path) -> None:
    assert read(hostile_cases, WHOLE) == ([], {"temp": "0.5", "top_k": "40", "stop_nl": "on", "seed": "7"})


@pytest.mark.parametrize("data", [b"", b"\n", b"\xef\xbb\xbf", b"#", b"   ", b"\r\n\r\n", b"# temp = 2"])
def test_nothing(hostile_cases: Path, data: bytes) -> None:
    assert read(hostile_cases, data) == ([], {})


@pytest.mark.parametrize("data", [b"temp=2", b"temp=2\n", b"temp=2\r\n", b"\xef\xbb\xbftemp = 2", b"temp = 1\ntemp = 2",
                                  b"temp = 2 # 3", b"temp = 2\t#", b"  temp  =  2  "])
def test_one(hostile_cases: Path, data: bytes) -> None:
    assert read(hostile_cases, data) == ([], {"temp": "2"})


@pytest.mark.parametrize(("data", "problem"), [
    (b"tmep = 1", "ingot.cfg:1: no setting tmep; nearest: temp"),
    (b"\n\n# x\r\ntmep = 1\n", "ingot.cfg:4: no setting tmep; nearest: temp"),
    (b"temp", "ingot.cfg:1: a line is name = value, not: temp"),
    (b"= 3", "ingot.cfg:1: no name of a setting: "),
    (b"temp =", "ingot.cfg:1: temp must be a number from 0 to 100, not "),
    (b"temp = 1#2", "ingot.cfg:1: temp must be a number from 0 to 100, not 1#2"),
    (b"temp = 1 = 2", "ingot.cfg:1: temp must be a number from 0 to 100, not 1 = 2"),
    (b"te mp = 1", "ingot.cfg:1: no name of a setting: te mp"),
    (b"temp\0 = 1", "ingot.cfg:1: no name of a setting: temp?"),
    (b"temp = 1\0", "ingot.cfg:1: temp must be a number from 0 to 100, not 1?"),
    (b"\x1b[2J = 1", "ingot.cfg:1: no name of a setting: ?[2J"),
    (b"t" * 31 + b" = 1", "ingot.cfg:1: no setting " + "t" * 31 + "; nearest: temp"),
    (b"t" * 32 + b" = 1", "ingot.cfg:1: no name of a setting: " + "t" * 32),
    (b"temp = " + b"1" * 506, "ingot.cfg:1: a line of more than 512 bytes"),
    (b"temp = 2\rtop_k = 3\r", "ingot.cfg:1: temp must be a number from 0 to 100, not 2?top_k = 3"),
    (b"\xff\xfet\0e\0", "ingot.cfg: UTF-16: not used; save it as UTF-8"),
    (b"\xfe\xff\0t\0e", "ingot.cfg: UTF-16: not used; save it as UTF-8"),
    (b"temp = 2\n" + b" " * 65528, "ingot.cfg: larger than 65536 bytes: not used")])
def test_problems(hostile_cases: Path, data: bytes, problem: str) -> None:
    assert read(hostile_cases, data) == ([problem], {})


def test_the_rest_is_used(hostile_cases: Path) -> None:
    problems, changed = read(hostile_cases, b"temp = 2\nnonsense\ntop_k = 5\n")
    assert problems == ["ingot.cfg:2: a line is name = value, not: nonsense"]
    assert changed == {"temp": "2", "top_k": "5"}


def test_a_few_of_many_problems_are_told(hostile_cases: Path) -> None:
    problems, changed = read(hostile_cases, b"x = 1\n" * 10922 + b"temp=2")  # 65538 bytes
    assert (len(problems), changed) == (1, {})
    problems, changed = read(hostile_cases, b"x = 1\n" * 10921 + b"temp=2")
    assert problems[7:] == ["ingot.cfg:8: no setting x; nearest: temp", "ingot.cfg: 10913 more problems"]
    assert changed == {"temp": "2"}
    assert len(read(hostile_cases, b"x = 1\n" * 8)[0]) == 8


def test_damaged_files(hostile_cases: Path) -> None:
    """Under the sanitizers, in memory of exactly their size: cut at every byte, and thousands changed."""
    rng = random.Random(6)
    cases = [WHOLE[:n] for n in range(len(WHOLE) + 1)]
    pieces = [b"temp", b"=", b"\n", b"\r", b"#", b" ", b"\xef\xbb\xbf", b"\0", b"\xff", b"on", b"1" * 40, b"-", b"."]
    for _ in range(3000):
        data = bytearray(WHOLE)
        for _ in range(rng.randrange(1, 12)):
            at = rng.randrange(len(data) + 1)
            data[at : at + rng.randrange(4)] = rng.choice([*pieces, rng.randbytes(3)])
        cases.append(bytes(data))
    for lines in answers(hostile_cases, "c", cases):
        assert all(" " <= c <= "~" for line in lines for c in line)
        assert lines[-len(DEFAULTS)].startswith("temp=")
