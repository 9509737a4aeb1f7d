"""What a tokenizer is made of, and the file that holds it: tokenizer.json, for every kind."""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.program import InputError, write_file

FORMAT = "ingot-tokenizer-1"
KINDS = ("bytes", "chars", "words", "gpt2", "llama")
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = 1, 2, 3, 4, 5, 6  # types of tokens, as GGUF numbers them
MOST = 1 << 20  # tokens, as many as the engine takes
LONGEST = 1 << 10  # bytes of a token
SPACE = "\u2581"  # which a llama piece has for a space
PRES = ("gpt-2", "llama-bpe", "smollm", "qwen2")  # rules for words of "gpt2", by llama.cpp's names


@dataclass(frozen=True)
class Table:
    """kind "gpt2" merges by rank, "llama" by score (SentencePiece BPE); the others have no merges.

    pieces: the bytes of each token; of "llama" SentencePiece's text in UTF-8, a space being U+2581 and a byte token
    `<0x0A>`. scores: of "llama" alone. merges: of "gpt2" alone, pairs of ids, the first one goes first. pre: of "gpt2"
    alone, its rule for words. adds_bos: whether a text begins with bos; None: as its kind does.
    """

    kind: str
    pieces: tuple[bytes, ...]
    types: tuple[int, ...]
    scores: tuple[float, ...] = ()
    merges: tuple[tuple[int, int], ...] = ()
    bos: int | None = None
    eos: int | None = None
    pre: str = "gpt-2"
    adds_bos: bool | None = None

    @property
    def begins(self) -> bool:
        """Whether a text begins with bos."""
        adds = self.kind == "llama" if self.adds_bos is None else self.adds_bos
        return adds and self.bos is not None

    @property
    def vocab(self) -> int:
        """How many tokens."""
        return len(self.pieces)


def write(path: Path, table: Table) -> None:
    """The same table gives the same bytes."""
    content = {
        "format": FORMAT, "kind": table.kind, "bos": table.bos, "eos": table.eos, "types": list(table.types),
        "scores": list(table.scores), "merges": [list(pair) for pair in table.merges],
        "pieces": [base64.b64encode(piece).decode() for piece in table.pieces],
        **({} if table.pre == Table.pre else {"pre": table.pre}),
        **({} if table.adds_bos is None else {"adds_bos": table.adds_bos}),
    }
    write_file(path, json.dumps(content, separators=(",", ":"), allow_nan=False).encode() + b"\n")


def read(path: Path) -> Table:
    """Raises InputError, which names the file and what is wrong with it, or OSError."""
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise _wrong(path, "it is not JSON") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise _wrong(path, f"its format is not {FORMAT}")
    lists: list[Any] = [found.get(name) for name in ("pieces", "types", "scores", "merges")]
    pieces, types, scores, merges = lists
    if found.get("kind") not in KINDS:
        raise _wrong(path, f"its kind is none of {', '.join(KINDS)}")
    if not isinstance(pieces, list) or not 1 <= len(pieces) <= MOST:
        raise _wrong(path, f"it must have from 1 to {MOST:,} pieces")
    count = len(pieces)
    if not _numbers(types, NORMAL, BYTE) or len(types) != count:
        raise _wrong(path, "it must have a type for each piece")
    wanted = count if found["kind"] == "llama" else 0
    if not isinstance(scores, list) or len(scores) != wanted or not all(map(_finite, scores)):
        raise _wrong(path, "a llama tokenizer has a finite score for each piece, others none")
    if not isinstance(merges, list) or (merges and found["kind"] != "gpt2") or len(merges) > 2 * MOST or not all(
            _numbers(pair, 0, count - 1) and len(pair) == 2 for pair in merges):
        raise _wrong(path, "its merges are not pairs of its tokens")
    for name in ("bos", "eos"):
        if found.get(name) is not None and not _numbers([found[name]], 0, count - 1):
            raise _wrong(path, f"its {name} is none of its tokens")
    pre, adds_bos = found.get("pre", Table.pre), found.get("adds_bos")
    if pre not in PRES or (pre != Table.pre and found["kind"] != "gpt2"):
        raise _wrong(path, f"its pre is none of {', '.join(PRES)}, which gpt2 alone has")
    if adds_bos is not None and type(adds_bos) is not bool:
        raise _wrong(path, "its adds_bos is neither true nor false")
    return Table(found["kind"], tuple(_piece(path, piece) for piece in pieces), tuple(types), tuple(map(float, scores)),
                 tuple((left, right) for left, right in merges), found.get("bos"), found.get("eos"), pre,
                 adds_bos)


def _piece(path: Path, text: Any) -> bytes:
    try:
        piece = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise _wrong(path, "a piece is not base64") from None
    if len(piece) > LONGEST:
        raise _wrong(path, f"a piece has {len(piece):,} bytes")
    return piece


def _numbers(found: Any, least: int, most: int) -> bool:
    """Whether it is a list of whole numbers in that range."""
    return isinstance(found, list) and all(type(item) is int and least <= item <= most for item in found)


def _finite(found: Any) -> bool:
    return type(found) in (int, float) and math.isfinite(found)


def _wrong(path: Path, why: str) -> InputError:
    return InputError(f"{path} is no tokenizer: {why}", "make it anew: python3 -m model.tokenizers")
