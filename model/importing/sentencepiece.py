"""What a SentencePiece model says of itself that its library does not tell.

A protobuf message: fields, each a varint `number << 3 | kind` and its value (protobuf's documentation, "Encoding");
numbers are those of sentencepiece_model.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from model.program import InputError
from model.tokenizers.llama import from_sentencepiece
from model.tokenizers.table import NORMAL, USER, Table

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5  # kinds of values
PIECES, TRAINER, NORMALIZER = 1, 2, 3
PIECE_TYPE = 3  # of a piece
MODEL_TYPE, BPE = 3, 2  # of the trainer
CHARSMAP, DUMMY_PREFIX, EXTRA_SPACES = 2, 3, 4  # of the normalizer


def read(path: Path) -> Table:
    """The table of a BPE that takes texts as they are. InputError for others: their tokens would not be ours."""
    table = from_sentencepiece(path)  # its library has checked the file
    types = list(table.types)
    count = 0
    for number, value in fields(path.read_bytes()):
        if number == PIECES and isinstance(value, bytes):
            if dict(fields(value)).get(PIECE_TYPE) == USER and count < len(types) and types[count] == NORMAL:
                types[count] = USER
            count += 1
        elif number == TRAINER and isinstance(value, bytes) and dict(fields(value)).get(MODEL_TYPE, 1) != BPE:
            raise _refused(path, "is not a BPE")
        elif number == NORMALIZER and isinstance(value, bytes):
            about = dict(fields(value))
            if about.get(CHARSMAP) or about.get(EXTRA_SPACES, 1) != 0 or about.get(DUMMY_PREFIX, 1) != 1:
                raise _refused(path, "changes texts, or puts no space before them")
    return replace(table, types=tuple(types))


def _refused(path: Path, what: str) -> InputError:
    return InputError(f"{path} {what}", "Llama's own way with texts, a BPE that puts a space before them, can be used")


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field; what is cut short ends them."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        size = {EIGHT: 8, FOUR: 4}.get(kind)
        if kind == BYTES:
            size, at = _varint(data, at)
        if size is None:
            return
        yield tag >> 3, data[at:at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Seven bits a byte, the lowest first."""
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            break
    return value, at
