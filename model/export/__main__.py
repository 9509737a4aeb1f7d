"""Weights into the formats that others read.

    python3 -m model.export weights.bin --name tales --tokenizer bytes \\
        --gguf model.gguf --raw model.f32 --header model.h
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from model.export import weights as weights_file
from model.export.gguf import gguf
from model.export.header import header
from model.export.raw import raw
from model.program import InputError, run, write_file

BYTES = 256  # tokens of the tokenizer "bytes"


def name(text: str) -> str:
    """A model's name: letters, digits, '-', '_' and '.', so that it needs no quoting anywhere."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", text):
        raise ValueError
    return text


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m model.export", allow_abbrev=False)
    parser.add_argument("weights", type=Path, help="the trainer's weights file")
    parser.add_argument("--name", type=name, required=True, help="the model's name: letters, digits, '-', '_', '.'")
    parser.add_argument("--tokenizer", choices=["bytes"], required=True, help="how its text becomes tokens")
    parser.add_argument("--gguf", type=Path, required=True, help="the GGUF file to write")
    parser.add_argument("--raw", type=Path, required=True, help="the headerless fp32 file to write")
    parser.add_argument("--header", type=Path, required=True, help="the C header to write")
    args = parser.parse_args(argv)

    def work() -> None:
        model = weights_file.read(args.weights)
        if model.config.vocab != BYTES:
            raise InputError(
                f"{args.weights} has {model.config.vocab} tokens, and the tokenizer bytes has {BYTES}",
                "train it on byte tokens",
            )
        write_file(args.gguf, gguf(model, args.name))
        write_file(args.raw, raw(model))
        write_file(args.header, header(model, args.name))

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
