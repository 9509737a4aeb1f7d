"""SentencePiece BPE with byte fallback (Kudo and Richardson 2018), as Llama has it: merges go by score.

A word is encoded once: no piece reaches over the space before a word, so that words do not depend on each other.
"""

from __future__ import annotations

import heapq
import math
import re
import struct
from array import array
from collections.abc import Sequence
from pathlib import Path

from model.program import InputError
from model.tokenizers.table import BYTE, CONTROL, LONGEST, MOST, NORMAL, SPACE, UNKNOWN, UNUSED, USER, Table

REMEMBERED = 1 << 20  # words
FIRST_PIECE = 3 + 256  # of Llama's tables: after the control tokens and the bytes
_WORD = re.compile(f"{SPACE}*[^{SPACE}]*")


class _Packed(dict[str, bytes]):
    """Word, without the space before it -> its ids as uint16; made when it is first asked for."""

    def __init__(self, owner: Llama) -> None:
        super().__init__()
        self._owner = owner

    def __missing__(self, word: str) -> bytes:
        made = array("H", self._owner._encode_word(SPACE + word)).tobytes()
        if len(self) < REMEMBERED:
            self[word] = made
        return made


class Llama:
    """Any text has tokens. As llama2.c and Llama 2 do, a text begins with a space that decoding takes away."""

    def __init__(self, table: Table) -> None:
        self.table = table
        texts = [piece.decode(errors="replace") for piece in table.pieces]
        kinds = table.types
        self._ids = {text: i for i, text in enumerate(texts) if kinds[i] in (NORMAL, USER)}
        self._bytes = {int(text[3:5], 16): i for i, text in enumerate(texts) if kinds[i] == BYTE}
        self._byte_of = {i: byte for byte, i in self._bytes.items()}
        self._unknown = next((i for i, kind in enumerate(kinds) if kind == UNKNOWN), None)
        if len(self._bytes) not in (0, 256) or (not self._bytes and self._unknown is None):
            raise InputError("a llama tokenizer without tokens for all bytes, and without <unk>", "make it anew")
        self._by_words = all(_WORD.fullmatch(text) for text in self._ids)
        self._known: dict[str, list[int]] = {}
        self._packed = _Packed(self)

    def encode(self, text: str) -> list[int]:
        """No bos."""
        if not text:
            return []
        whole = SPACE + text.replace(" ", SPACE)
        ids: list[int] = []
        for word in _WORD.findall(whole) if self._by_words else [whole]:
            found = self._known.get(word)
            if found is None:
                found = self._encode_word(word)
                if len(self._known) < REMEMBERED:
                    self._known[word] = found
            ids += found
        return ids

    def pack(self, text: str) -> bytes:
        """encode's ids as uint16: the quick way through much text, most of whose words have been seen before."""
        by_spaces = self._by_words and not text.startswith(" ") and "  " not in text and SPACE not in text
        if not text or not by_spaces or self.table.vocab > 1 << 16:
            return array("H", self.encode(text)).tobytes()
        return b"".join(map(self._packed.__getitem__, text.split(" ")))

    def _encode_word(self, word: str) -> list[int]:
        """The pair of the highest score is merged first, of equal ones the leftmost."""
        parts: list[str | None] = list(word)
        after = list(range(1, len(parts) + 1))
        before = list(range(-1, len(parts) - 1))
        heap: list[tuple[float, int, str, int]] = []  # -score, left, what they make, right

        def offer(left: int, right: int) -> None:
            first, second = parts[left], parts[right]
            assert first is not None and second is not None
            found = self._ids.get(first + second)
            if found is not None:
                heapq.heappush(heap, (-self.table.scores[found], left, first + second, right))

        for left in range(len(parts) - 1):
            offer(left, left + 1)
        while heap:
            _, left, merged, right = heapq.heappop(heap)
            first, second = parts[left], parts[right] if right < len(parts) else None
            if first is None or second is None or after[left] != right or first + second != merged:
                continue  # one of them has been merged since
            parts[left], parts[right] = merged, None
            after[left] = after[right]
            if after[right] < len(parts):
                before[after[right]] = left
                offer(left, after[right])
            if before[left] >= 0:
                offer(before[left], left)
        return [i for part in parts if part is not None for i in self._tokens_of(part)]

    def _tokens_of(self, part: str) -> list[int]:
        found = self._ids.get(part)
        if found is not None:
            return [found]
        if self._bytes:
            return [self._bytes[byte] for byte in part.encode()]
        assert self._unknown is not None
        return [self._unknown]

    def decode(self, ids: Sequence[int]) -> str:
        """Without the space that begins the text."""
        out = bytearray()
        for i in ids:
            if i in self._byte_of:
                out.append(self._byte_of[i])
            elif self.table.types[i] not in (CONTROL, UNKNOWN):
                out += self.table.pieces[i].decode(errors="replace").replace(SPACE, " ").encode()
        return bytes(out).decode(errors="replace").removeprefix(" ")


def from_sentencepiece(model: Path) -> Table:
    """A SentencePiece model of the type BPE."""
    import sentencepiece

    try:
        found = sentencepiece.SentencePieceProcessor(model_file=str(model))
    except (OSError, RuntimeError) as error:
        raise InputError(f"{model} is no SentencePiece model: {error}", "download it anew") from None
    ids = range(found.vocab_size())
    kinds = ((found.is_control, CONTROL), (found.is_unknown, UNKNOWN), (found.is_byte, BYTE), (found.is_unused, UNUSED))
    types = tuple(next((kind for test, kind in kinds if test(i)), NORMAL) for i in ids)
    return Table("llama", tuple(found.id_to_piece(i).encode() for i in ids), types,
                 tuple(found.get_score(i) for i in ids), (),
                 found.bos_id() if found.bos_id() >= 0 else None, found.eos_id() if found.eos_id() >= 0 else None)


def from_file(path: Path) -> Table:
    """A SentencePiece model, or llama2.c's tokenizer.bin."""
    data = path.read_bytes()
    return from_llama2c(path, data) if path.suffix == ".bin" else from_sentencepiece(path)


def from_llama2c(path: Path, data: bytes) -> Table:
    """Longest token (i32), then of each token score (f32), length (i32) and text. Which are bytes and which control
    tokens it does not say: they lie where Llama's do, <unk> 0, <s> 1, </s> 2, the bytes 3 to 258."""
    wrong = InputError(f"{path} is no tokenizer.bin of llama2.c", "its export: tokenizer.py of llama2.c")
    pieces: list[bytes] = []
    scores: list[float] = []
    at = 4
    while at < len(data):
        if len(data) - at < 8 or len(pieces) >= MOST:
            raise wrong
        score, size = struct.unpack_from("<fi", data, at)
        at += 8
        if not (0 <= size <= min(LONGEST, len(data) - at) and math.isfinite(score)):
            raise wrong
        pieces.append(data[at:at + size])
        scores.append(score)
        at += size
    if len(pieces) < FIRST_PIECE:
        raise wrong
    special = (b"<unk>", b"<s>", b"</s>", *(f"<0x{byte:02X}>".encode() for byte in range(256)))
    try:
        rest = tuple(piece.decode().replace(" ", SPACE).encode() for piece in pieces[FIRST_PIECE:])
    except UnicodeDecodeError:
        raise wrong from None
    types = (UNKNOWN, CONTROL, CONTROL, *(BYTE,) * 256, *(NORMAL,) * len(rest))
    return Table("llama", (*special, *rest), types, tuple(scores), (), 1, 2)
