"""What an EFI program holds of a model that is files beside it: their sizes and sha256.

    python3 -m model.reference model.gguf model.ref
    python3 -m model.reference model.bin tokenizer.bin model.ref

48 bytes a file: b"INGOTREF", the size as a little-endian u64, the sha256. efi_src/uefi/reference.c reads it.
"""

from __future__ import annotations

import argparse
import hashlib
import struct
import sys
from pathlib import Path

from model.program import InputError, run, write_file

MAGIC = b"INGOTREF"
MOST = (1 << 32) - 1  # the longest file of FAT32


def reference(path: Path) -> bytes:
    """The reference to a file. Raises InputError where it cannot be one of a disk's."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
            size += len(piece)
    if not 0 < size <= MOST:
        raise InputError(f"{path} has {size} bytes; FAT32 takes 1 to {MOST}",
                         "split it, or choose a smaller type of its weights (Q8_0)" if size else "make it anew")
    return MAGIC + struct.pack("<Q", size) + digest.digest()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m model.reference", allow_abbrev=False)
    parser.add_argument("files", type=Path, nargs="+", help="the model file; a llama2.c file's tokenizer after it")
    parser.add_argument("out", type=Path, help="the references to write")
    args = parser.parse_args(argv)
    return run(lambda: write_file(args.out, b"".join(map(reference, args.files))))


if __name__ == "__main__":
    sys.exit(main())
