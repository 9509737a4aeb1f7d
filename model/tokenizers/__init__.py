"""Tokenizers. Each is made from a Table, the one thing that is kept (tokenizer.json) and exported.

`bytes` is a program of its own too: what the C trainer's stages run. A tokens file holds token ids as little-endian
uint16, uint32 where the vocabulary needs it, nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from model.tokenizers import table
from model.tokenizers.table import Table


class Tokenizer(Protocol):
    """Text to token ids and back. Control tokens (bos, eos) never come from a text; decode leaves them out."""

    @property
    def table(self) -> Table:
        """All of it."""
        ...

    def encode(self, text: str) -> list[int]:
        """No bos. InputError for a text that it has no tokens for."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """What is no UTF-8 becomes U+FFFD."""
        ...


def make(found: Table) -> Tokenizer:
    """The tokenizer of a table."""
    if found.kind == "llama":
        from model.tokenizers.llama import Llama

        return Llama(found)
    if found.kind == "gpt2":
        from model.tokenizers.gpt2 import Gpt2

        return Gpt2(found)
    from model.tokenizers.simple import Simple

    return Simple(found)


def load(path: Path) -> Tokenizer:
    """From a tokenizer.json. InputError for what is none."""
    return make(table.read(path))
