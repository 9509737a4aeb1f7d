r"""Writes the C table of the letters (\p{L}) and numbers (\p{N}) that pre-tokenizers ask for.

    python3 -m model.unicode_table --out efi_src/engine/unicode_table.c

The characters are those of this Python's unicodedata; the file names their version. White space is not
here: the property White_Space has 25 characters, and unicode.c lists them.
"""

from __future__ import annotations

import argparse
import sys
import unicodedata
from pathlib import Path

from model.program import run, write_file

PER_LINE = 5


def ranges(category: str) -> list[tuple[int, int]]:
    """First and last of every run of code points whose general category starts with this letter."""
    found: list[tuple[int, int]] = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code))[0] != category:
            continue
        if found and found[-1][1] == code - 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return found


def array(name: str, category: str) -> str:
    """The ranges as C."""
    items = [f"{{0x{first:05X}, 0x{last:05X}}}," for first, last in ranges(category)]
    lines = ["    " + " ".join(items[at : at + PER_LINE]) for at in range(0, len(items), PER_LINE)]
    return "\n".join([f"const struct unicode_range {name}[] = {{", *lines, "};",
                      f"const uint32_t {name}_count = sizeof {name} / sizeof {name}[0];", ""])


def table() -> str:
    """The whole file."""
    return "\n".join([
        f"/* Unicode {unicodedata.unidata_version}: ranges of letters and numbers, first and last, ascending.",
        " * Made by model/unicode_table.py; do not edit. */",
        '#include "unicode.h"', "", array("unicode_letters", "L"), array("unicode_numbers", "N"),
    ])


def main(argv: list[str] | None = None) -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="model.unicode_table", description=str(__doc__).splitlines()[0])
    parser.add_argument("--out", required=True, type=Path)
    args = parser.parse_args(argv)
    return run(lambda: write_file(args.out, table().encode()))


if __name__ == "__main__":
    sys.exit(main())
