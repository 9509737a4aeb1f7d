"""The table of Unicode classes is what its program writes, and the engine reads it right."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from model.unicode_table import letter, main, narrowest, number, ranges, wide
from tests.cbuild import SOURCES, build

TABLE = SOURCES / "engine" / "unicode_table.c"
OTHER, LETTER, NUMBER, SPACE = range(4)


def test_the_file_is_what_the_program_writes(tmp_path: Path) -> None:
    version = re.search(r"Unicode ([\d.]+):", TABLE.read_text())
    assert version
    if version[1] != unicodedata.unidata_version:
        pytest.skip(f"this Python has Unicode {unicodedata.unidata_version}, the table is of {version[1]}")
    assert main(["--out", str(tmp_path / "table.c")]) == 0
    assert (tmp_path / "table.c").read_bytes() == TABLE.read_bytes()


def test_ranges_are_the_characters_of_the_category() -> None:
    """Every one of them, and none is next to another."""
    for category, test in (("L", letter), ("N", number)):
        found = ranges(test)
        assert {code for first, last in found for code in range(first, last + 1)} == {
            code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith(category)}
        assert all(before[1] + 1 < after[0] for before, after in zip(found, found[1:], strict=False))


def test_a_folder_that_is_not_there(root: Path, tmp_path: Path) -> None:
    made = subprocess.run([sys.executable, "-m", "model.unicode_table", "--out", str(tmp_path / "no" / "table.c")],
                          cwd=root, capture_output=True, text=True)
    assert made.returncode == 1
    assert [line.split(":")[0] for line in made.stderr.splitlines()] == ["error", "hint"]


def test_the_engine_knows_every_code_point(tmp_path_factory: pytest.TempPathFactory) -> None:
    library = ctypes.CDLL(str(build(tmp_path_factory, "unicode.so", (), ("-fvisibility=default",), link=("-shared",),
                                    more=(SOURCES / "engine" / "unicode.c", TABLE))))
    white = [*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]
    spaces = {code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] == "Z"}
    assert set(white) == spaces | {9, 10, 11, 12, 13, 0x85}  # White_Space, as PropList.txt lists it
    wrong = []
    for code in range(sys.maxunicode + 2):
        got = library.unicode_class_of(code)
        category = unicodedata.category(chr(code)) if code <= sys.maxunicode else "Cn"
        expected = SPACE if code in spaces or code in white else {"L": LETTER, "N": NUMBER}.get(category[0], OTHER)
        # another Python may know characters that the table's Unicode has not yet, or not know some that it has
        if got != expected and category != "Cn" and got != OTHER:
            wrong.append((hex(code), got, expected))
    assert not wrong
    assert [library.unicode_class_of(ord(letter)) for letter in "aZé日ｱ7²Ⅷ٣ \u3000_😀"] == [
        *[LETTER] * 5, *[NUMBER] * 4, SPACE, SPACE, OTHER, OTHER]


def test_the_engine_knows_every_width(tmp_path_factory: pytest.TempPathFactory) -> None:
    library = ctypes.CDLL(str(build(tmp_path_factory, "unicode.so", (), ("-fvisibility=default",), link=("-shared",),
                                    more=(SOURCES / "engine" / "unicode.c", TABLE))))
    same, wrong = f"Unicode {unicodedata.unidata_version}:" in TABLE.read_text(), []
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        expected = 0 if narrowest(char) else 2 if wide(char) else 1
        sure = unicodedata.category(char) != "Cn" if same else unicodedata.ucd_3_2_0.category(char) not in ("Cn", "Cf")
        if sure and library.unicode_width(code) != expected:
            wrong.append(hex(code))
    assert not wrong
    assert [library.unicode_width(ord(char)) for char in "aé中ｱＡ한🙂\u0301\u200d"] == [1, 1, 2, 1, 2, 2, 2, 0, 0]
