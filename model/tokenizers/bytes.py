"""The simplest tokenizer: a token is a byte, its id the byte's value (256 tokens).

    python3 -m model.tokenizers.bytes corpus.txt --split 0.9 --train tokens.train.bin --val tokens.val.bin

The first `split` of the text is for training, the rest is held out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model.program import InputError, run, write_file


def encode(text: bytes) -> bytes:
    """The text as little-endian uint16 token ids."""
    tokens = bytearray(2 * len(text))
    tokens[::2] = text
    return bytes(tokens)


def split(text: bytes, share: float) -> tuple[bytes, bytes]:
    """The first `share` of the text, and the rest. Raises InputError where a part has not two tokens."""
    cut = int(len(text) * share)
    train, val = text[:cut], text[cut:]
    if min(len(train), len(val)) < 2:
        raise InputError(
            f"a text of {len(text)} bytes is too small: {len(train)} to train on, {len(val)} held out",
            "each part needs at least two bytes: one to read and one to foretell",
        )
    return train, val


def share(text: str) -> float:
    """A number between 0 and 1, both excluded."""
    value = float(text)
    if not 0 < value < 1:
        raise ValueError
    return value


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m model.tokenizers.bytes", allow_abbrev=False)
    parser.add_argument("text", type=Path, help="the text file")
    parser.add_argument("--split", type=share, required=True, help="the share to train on: 0.9")
    parser.add_argument("--train", type=Path, required=True, help="the tokens file to write for training")
    parser.add_argument("--val", type=Path, required=True, help="the tokens file to write for evaluation")
    args = parser.parse_args(argv)

    def work() -> None:
        train, val = split(args.text.read_bytes(), args.split)
        write_file(args.train, encode(train))
        write_file(args.val, encode(val))

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
