"""Byte-level BPE with GPT-2's rule for words (Sennrich et al. 2016; Radford et al. 2019); tiktoken does the work."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from model.export.gguf import byte_alphabet
from model.program import InputError
from model.tokenizers.table import CONTROL, NORMAL, Table

WORDS = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""


class Gpt2:
    """Any text has tokens."""

    def __init__(self, table: Table) -> None:
        import tiktoken

        self.table = table
        ranks = {piece: i for i, piece in enumerate(table.pieces) if table.types[i] == NORMAL}
        self._encoding = tiktoken.Encoding("ingot", pat_str=WORDS, mergeable_ranks=ranks, special_tokens={})

    def encode(self, text: str) -> list[int]:
        """Special tokens in the text are text."""
        found: list[int] = self._encoding.encode_ordinary(text)
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
