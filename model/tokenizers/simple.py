"""Tokenizers without merges: bytes, characters, and for teaching words and marks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from model.program import InputError
from model.tokenizers.table import CONTROL, NORMAL, UNKNOWN, Table

WORDS = re.compile(r"""[,.:;?_!"()']|--|\s|[^,.:;?_!"()'\s-]+|-""")  # nothing of a text is lost
UNKNOWN_WORD, END = b"<|unk|>", b"<|endoftext|>"


class Simple:
    """Every character, or word, is a token."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._ids = {piece: i for i, piece in enumerate(table.pieces) if table.types[i] == NORMAL}
        self._unknown = next((i for i, kind in enumerate(table.types) if kind == UNKNOWN), None)

    def encode(self, text: str) -> list[int]:
        """Characters that the vocabulary lacks are an error; words become <|unk|>."""
        if self.table.kind == "bytes":
            return list(text.encode())
        ids = []
        for part in parts(self.table.kind, text):
            found = self._ids.get(part.encode(), self._unknown)
            if found is None:
                raise InputError(f"the tokenizer has no token for {part!r}",
                                 "it knows the characters of the text that it was made from alone")
            ids.append(found)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The pieces one after another."""
        return b"".join(self.table.pieces[i] for i in ids if self.table.types[i] != CONTROL).decode(errors="replace")


def parts(kind: str, text: str) -> Iterable[str]:
    """What becomes a token each."""
    return text if kind == "chars" else WORDS.findall(text)


def bytes_table() -> Table:
    """256 tokens; the engine ends a text at byte 0."""
    return Table("bytes", tuple(bytes([i]) for i in range(256)), (NORMAL,) * 256, bos=ord("\n"), eos=0)


def chars_table(text: str) -> Table:
    """The characters of a text, sorted."""
    pieces = tuple(char.encode() for char in sorted(set(text)))
    return Table("chars", pieces, (NORMAL,) * len(pieces))


def words_table(text: str) -> Table:
    """The words and marks of a text, sorted, then <|endoftext|> and <|unk|>."""
    words = tuple(word.encode() for word in sorted(set(parts("words", text))))
    return Table("words", (*words, END, UNKNOWN_WORD), (*(NORMAL,) * len(words), CONTROL, UNKNOWN), eos=len(words))
