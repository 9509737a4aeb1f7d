"""Byte-level BPE (Sennrich et al. 2016; Radford et al. 2019), with a rule for words; tiktoken does the work."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.export.gguf import byte_alphabet
from model.program import InputError
from model.tokenizers.table import CONTROL, NORMAL, USER, Table

WORDS = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
_LEVEL: dict[str, Any] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


@dataclass(frozen=True)
class Pretokenizer:
    """A rule for words: tiktoken's pattern, and what Hugging Face's tokenizer.json says for it."""

    words: str
    theirs: dict[str, Any]


def _by_pattern(digits: str) -> Pretokenizer:
    """Llama 3's rule; Qwen 2's is it with one digit a word."""
    words = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + digits +
             r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    split = {"type": "Split", "pattern": {"Regex": words}, "behavior": "Isolated", "invert": False}
    level = {**_LEVEL, "use_regex": False}
    return Pretokenizer(words, {"type": "Sequence", "pretokenizers": [split, level]})


PRETOKENIZERS = {
    "gpt-2": Pretokenizer(WORDS, _LEVEL),
    "smollm": Pretokenizer(  # GPT-2's between digits, each of which is a word
        r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++|\p{N}| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?![^\s\p{N}])|\s",
        {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, _LEVEL]}),
    "llama-bpe": _by_pattern("{1,3}"),
    "qwen2": _by_pattern(""),
}


class Gpt2:
    """Any text has tokens."""

    def __init__(self, table: Table) -> None:
        import tiktoken

        self.table = table
        ranks = {piece: i for i, piece in enumerate(table.pieces) if table.types[i] == NORMAL}
        own = {piece.decode(): i for i, piece in enumerate(table.pieces) if table.types[i] == USER}
        self._encoding = tiktoken.Encoding("ingot", pat_str=PRETOKENIZERS[table.pre].words, mergeable_ranks=ranks,
                                           special_tokens=own)
        self._own = frozenset(own)

    def encode(self, text: str) -> list[int]:
        """Control tokens in the text are text, the user's own are tokens."""
        found: list[int] = self._encoding.encode(text, allowed_special=self._own, disallowed_special=())
        return found

    def decode(self, ids: Sequence[int]) -> str:
        """The pieces one after another."""
        return b"".join(self.table.pieces[i] for i in ids if self.table.types[i] != CONTROL).decode(errors="replace")


def from_files(vocab_bpe: Path, encoder_json: Path) -> Table:
    """OpenAI's two files: 50,257 tokens, the last one <|endoftext|>."""
    back = {char: byte for byte, char in enumerate(byte_alphabet())}
    try:
        ids = json.loads(encoder_json.read_bytes())
        lines = vocab_bpe.read_text("utf-8").splitlines()
        merges = tuple((ids[left], ids[right]) for left, right in (line.split(" ") for line in lines[1:] if line))
        names = sorted(ids, key=ids.__getitem__)
        if [ids[name] for name in names] != list(range(len(names))) or names[-1] != "<|endoftext|>":
            raise ValueError
        pieces = tuple(bytes(back[char] for char in name) for name in names[:-1])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{vocab_bpe} and {encoder_json} are not GPT-2's vocabulary", "download them anew") from None
    last = len(pieces)
    return Table("gpt2", (*pieces, b"<|endoftext|>"), (*(NORMAL,) * last, CONTROL), (), merges, last, last)
