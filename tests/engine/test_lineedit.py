"""The line editor: whatever the bytes, the text is what a simple model of it says, and so is the screen."""

from __future__ import annotations

import ctypes
import random
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import cbuild
from tests.engine.editing import Editor
from tests.terminal import Terminal

PARTS = ("lineedit", "linerow", "typed", "unicode", "unicode_table", "utf8")
SOURCES = tuple(cbuild.SOURCES / "engine" / f"{name}.c" for name in PARTS)


@dataclass
class Case:
    data: bytes
    size: int = 16384
    history: int = 32768
    every: int = 1
    tick: int = 0


@dataclass
class Seen:
    echo: str
    texts: list[tuple[str, bool]]
    line: str
    base: int
    cursor: int
    too_long: bool


class Program:
    """lineedit_cases.c, under the sanitizers."""

    def __init__(self, path: Path, widths: ctypes.CDLL) -> None:
        self._path = path
        self._widths = widths

    def width(self, char: str) -> int:
        return int(self._widths.unicode_width(ord(char)))

    def run(self, cases: list[Case]) -> list[Seen]:
        data = b"".join(struct.pack("<5Q", c.size, c.history, c.every, c.tick, len(c.data)) + c.data for c in cases)
        done = subprocess.run([self._path], input=data, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        at = 0

        def number() -> int:
            nonlocal at
            at += 8
            return int(struct.unpack_from("<Q", done.stdout, at - 8)[0])

        def text(n: int) -> str:
            nonlocal at
            at += n
            return done.stdout[at - n : at].decode()

        seen = []
        for _ in cases:
            echo = text(number())
            texts = []
            for _ in range(number()):
                n = number()
                texts.append((text(n & ~(1 << 63)), n >> 63 == 1))
            line = text(number())
            base, cursor, too_long = (number() for _ in range(3))
            seen.append(Seen(echo, texts, line, base, cursor, too_long == 1))
        assert at == len(done.stdout)
        return seen

    def check(self, cases: list[Case]) -> None:
        """The program's text, and what a terminal shows of it, are those of the model."""
        for case, seen in zip(cases, self.run(cases), strict=True):
            editor = Editor(case.size, case.history, self.width)
            editor.feed(case.data)
            assert seen.texts == editor.submitted
            assert (seen.line, seen.too_long) == (editor.text, editor.too_long)
            assert seen.line.encode()[: seen.base].decode() == editor.text[: editor.base]
            assert seen.line.encode()[: seen.cursor].decode() == editor.text[: editor.cursor]
            terminal = Terminal(self.width)
            terminal.feed(seen.echo)
            self._check_screen(terminal, editor)

    def _check_screen(self, terminal: Terminal, editor: Editor) -> None:
        """But for characters of no width: one that is erased may be left standing on the one before it."""

        def seen(text: str) -> str:
            return "".join(char for char in text if self.width(char) > 0)

        left, right = map(seen, terminal.line())
        shown = editor.text.replace("\t", " ")
        before, after = seen(shown[editor.base : editor.cursor]), seen(shown[editor.cursor :])
        prompt, left, right = left[:2], left[2:], right.rstrip()
        assert prompt == (". " if editor.base else "> ")
        assert left == before or (left[0] == "<" and before.endswith(left[1:]))
        assert right == after.rstrip() or (right[-1] == ">" and after.startswith(right[:-1]))
        if sum(map(self.width, before + after)) <= 76:
            assert left == before and right == after.rstrip()
        if after:
            assert sum(map(self.width, left)) < 78 and sum(map(self.width, left + right)) < 78


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    path = cbuild.build(tmp_path_factory, "lineedit_cases", (), cbuild.SANITIZE,
                        more=(*SOURCES, Path(__file__).with_name("lineedit_cases.c")))
    library = cbuild.build(tmp_path_factory, "width.so", (), ("-fvisibility=default",), link=("-shared",),
                           more=(cbuild.SOURCES / "engine/unicode.c", cbuild.SOURCES / "engine/unicode_table.c"))
    return Program(path, ctypes.CDLL(str(library)))


PIECES = [b"a", b"b", b" ", b"word ", b"\t", "é".encode(), "e\u0301".encode(), "中文".encode(), "🙂".encode(),
          "\u200d".encode(), b"\xff", b"\xc2\x9b", b"\xe2\x82", b"\xac", b"\xf0\x9f", b"x" * 30, "語".encode() * 25,
          b"\\\r", b"\r", b"\n", b"\r\n", b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x1bOD", b"\x1b[H", b"\x1bOF",
          b"\x1b[3~", b"\x1b[1~", b"\x1b[4~", b"\x1b[1;5C", b"\x1b[200~", b"\x1b[", b"\x1b", b"\x7f", b"\x08", b"\x01",
          b"\x05", b"\x0b", b"\x15", b"\x17", b"\x03", b"\x04" b"z", b"\x00", b"\x1a"]
BYTES = st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join))
CASES = st.builds(Case, data=BYTES, size=st.sampled_from([1, 7, 48, 100, 500]),
                  history=st.sampled_from([0, 1, 20, 200, 2000]), every=st.sampled_from([0, 1, 2, 3, 7]))


@settings(max_examples=40, deadline=None)
@example([Case("日".encode() * 60 + b"\x1b[D" * 50 + b"x")])
@given(st.lists(CASES, min_size=1, max_size=30))
def test_any_bytes(program: Program, cases: list[Case]) -> None:
    program.check([case for case in cases if not case.data.endswith(b"\x04")])


def test_many_random_keys(program: Program) -> None:
    rng = random.Random(8)
    cases = [Case(b"".join(rng.choices(PIECES, k=rng.randrange(120))), size=rng.choice([30, 90, 300, 5000]),
                  history=rng.choice([0, 50, 5000]), every=rng.choice([0, 1, 1, 5])) for _ in range(600)]
    program.check(cases)


@pytest.mark.parametrize(("typed", "line", "echo"), [
    (b"abc", "abc", "abc"),
    (b"abc\x7f", "ab", "abc\b \b"),
    ("中\x7f".encode(), "", "中\b\b  \b\b"),
    (b"abc\x1b[D\x1b[D", "abc", "abc\b\b"),
    (b"abc\x1b[H\x1b[C", "abc", "abc\b\b"),
    (b"ac\x1b[Db", "abc", "ac\bbc\b"),
    (b"abc\x1b[D\x7f", "ac", "abc\b\bc \b\b"),
    (b"abc\x01\x1b[3~", "bc", "abc\b\b\bbc \b\b\b"),
    (b"ab cd  \x17", "ab ", "ab cd  \b\b\b\b    \b\b\b\b"),
    (b"abc\x01\x0b", "", "abc\b\b\b   \b\b\b"),
    (b"abc\x1b[D\x15", "c", "abc\b\b\bc  \b\b\b"),
    (b"one\rtwo\r\x1b[A\x1b[A", "one", "one\n\n> two\n\n> two\b\b\b   \b\b\bone"),
    (b"one\rtw\x1b[A\x1b[B", "tw", "one\n\n> tw\b\b  \b\bone\b\b\b   \b\b\btw"),
    (b"a" * 80 + b"\x7f", "a" * 79, "a" * 80 + "\n> <" + "a" * 38),
])
def test_what_is_sent(program: Program, typed: bytes, line: str, echo: str) -> None:
    """What changes the end is shown as it comes; the rest when no more bytes are waiting: here, at the end."""
    (seen,) = program.run([Case(typed, every=0)])
    assert (seen.line, seen.echo) == (line, "\n> " + echo)


def test_the_oldest_lines_go(program: Program) -> None:
    lines = b"".join(b"line %d\r" % i for i in range(40))
    (seen,) = program.run([Case(lines + b"\x1b[A" * 50)])
    assert seen.line == "line 8"


def test_a_paste_in_the_middle_is_drawn_when_there_is_time(program: Program) -> None:
    typed = b"start end" + b"\x1b[D" * 3 + b"p" * 4000
    late, soon = program.run([Case(typed, every=0), Case(typed, every=1)])
    assert late.line == soon.line == "start " + "p" * 4000 + "end"
    assert len(late.echo) < 1000
    assert len(soon.echo) < 4000 * 160


def test_a_line_that_is_too_long_is_told_once(program: Program) -> None:
    (seen,) = program.run([Case(b"x" * 100_000 + b"\r" + b"y\r")])
    assert seen.texts == [("x" * 16384, True), ("y", False)]
    assert seen.echo.count("\a") == 1 and len(seen.echo) < 17000


def test_the_escape_key_alone(program: Program) -> None:
    """Nothing follows it in time; what was waiting behind it all the while, on a busy machine, is a sequence."""
    typed = b"dogs\r\x1b[A"
    alone, busy, swift = program.run([Case(typed, tick=60_000), Case(typed, every=0, tick=60_000),
                                      Case(typed, tick=10_000)])
    assert (alone.line, busy.line, swift.line) == ("[A", "dogs", "dogs")
