"""What an EFI program holds of models that are files beside it: their names, and size and sha256 of each file.

    python3 -m model.pins --model tales model.gguf --out model.ref
    python3 -m model.pins --model one model.gguf --model two model-2.bin tokenizer-2.bin --out model.ref

b"INGOTREF", then for each model its name (40 bytes, filled up with zeros) and the number of its files (u32), then for
each of them its name on the disk (40 bytes likewise), its size (u64) and its sha256; numbers are little-endian.
efi_src/uefi/reference.c reads it.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from model.program import InputError, run, write_file

MAGIC = b"INGOTREF"
MODELS, FILES, NAME = 16, 16, 40  # at most: models, files of one, characters of a name
MOST = (1 << 32) - 1  # the longest file of FAT32


def references(models: Sequence[tuple[str, Sequence[Path]]]) -> bytes:
    """The whole list: each model's name and its files, which have their names on the disk here already."""
    if not 0 < len(models) <= MODELS:
        raise InputError(f"{len(models)} models are named", f"a program knows 1 to {MODELS}")
    if len({name for name, _ in models}) < len(models):
        raise InputError("two models have one name", "give each a name of its own")
    return MAGIC + b"".join(_model(name, files) for name, files in models)


def reference(path: Path) -> bytes:
    """Of one file. Raises InputError where it cannot be one of a disk's."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
            size += len(piece)
    if not 0 < size <= MOST:
        raise InputError(f"{path} has {size} bytes; FAT32 takes 1 to {MOST}",
                         "split it, or choose a smaller type of its weights (Q8_0)" if size else "make it anew")
    return _name(path.name, r"[A-Za-z0-9_-]+\.[A-Za-z0-9]+") + struct.pack("<Q", size) + digest.digest()


def _model(name: str, files: Sequence[Path]) -> bytes:
    if not 0 < len(files) <= FILES:
        raise InputError(f"the model {name} has {len(files)} files", f"a model has 1 to {FILES}")
    return _name(name, r"[A-Za-z0-9_-]+") + struct.pack("<I", len(files)) + b"".join(map(reference, files))


def _name(name: str, pattern: str) -> bytes:
    if not re.fullmatch(pattern, name) or len(name) > NAME:
        raise InputError(f"{name!r} is no name for the program", f"letters, digits, - and _, at most {NAME}")
    return name.encode().ljust(NAME, b"\0")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m model.pins", allow_abbrev=False)
    parser.add_argument("--model", nargs="+", action="append", required=True, metavar=("NAME", "FILE"),
                        help="a model and its files: a GGUF or its parts; a llama2.c file and its tokenizer")
    parser.add_argument("--out", type=Path, required=True, help="the list to write")
    args = parser.parse_args(argv)
    models = [(name, [Path(file) for file in files]) for name, *files in args.model]
    return run(lambda: write_file(args.out, references(models)))


if __name__ == "__main__":
    sys.exit(main())
