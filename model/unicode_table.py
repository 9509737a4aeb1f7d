r"""Writes the C table of the letters (\p{L}) and numbers (\p{N}) that pre-tokenizers ask for, and of the characters
that take two columns of a terminal, or none.

    python3 -m model.unicode_table --out efi_src/engine/unicode_table.c

The characters are those of this Python's unicodedata; the file names their version. White space is not
here: the property White_Space has 25 characters, and unicode.c lists them.
"""

from __future__ import annotations

import argparse
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

from model.program import run, write_file

PER_LINE = 5


Test = Callable[[str], bool]


def letter(char: str) -> bool:
    r"""\p{L}."""
    return unicodedata.category(char)[0] == "L"


def number(char: str) -> bool:
    r"""\p{N}."""
    return unicodedata.category(char)[0] == "N"


def narrowest(char: str) -> bool:
    """What stands on the character before it, or is not seen at all."""
    return unicodedata.category(char) in ("Mn", "Me", "Cf") and char != "\xad"


def wide(char: str) -> bool:
    """CJK, Hangul, emoji."""
    assigned = unicodedata.category(char) != "Cn"  # of what is not, some Pythons say that it is wide
    return assigned and unicodedata.east_asian_width(char) in "WF" and not narrowest(char)


def ranges(test: Test, bridge: bool = False) -> list[tuple[int, int]]:
    """First and last of every run of code points of this kind; with `bridge`, what lies between two and is not
    assigned belongs to them: it makes fewer runs."""
    found: list[tuple[int, int]] = []
    follows = False
    for code in range(sys.maxunicode + 1):
        if not test(chr(code)):
            follows = follows and bridge and unicodedata.category(chr(code)) == "Cn"
        elif follows:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
            follows = True
    return found


def array(name: str, test: Test, bridge: bool = False) -> str:
    """The ranges as C."""
    items = [f"{{0x{first:05X}, 0x{last:05X}}}," for first, last in ranges(test, bridge)]
    lines = ["    " + " ".join(items[at : at + PER_LINE]) for at in range(0, len(items), PER_LINE)]
    return "\n".join([f"const struct unicode_range {name}[] = {{", *lines, "};",
                      f"const uint32_t {name}_count = sizeof {name} / sizeof {name}[0];", ""])


def table() -> str:
    """The whole file."""
    return "\n".join([
        f"/* Unicode {unicodedata.unidata_version}: ranges of letters, numbers, wide and zero-width characters,",
        " * first and last, ascending. Made by model/unicode_table.py; do not edit. */",
        '#include "unicode.h"', "", array("unicode_letters", letter), array("unicode_numbers", number),
        array("unicode_wide", wide, bridge=True), array("unicode_zero", narrowest, bridge=True),
    ])


def main(argv: list[str] | None = None) -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="model.unicode_table", description=str(__doc__).splitlines()[0])
    parser.add_argument("--out", required=True, type=Path)
    args = parser.parse_args(argv)
    return run(lambda: write_file(args.out, table().encode()))


if __name__ == "__main__":
    sys.exit(main())
