"""Tokenizers for tests: the C ones through ctypes, files for them, and llama2.c's written again in Python."""

from __future__ import annotations

import ctypes
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gguf import GGUFWriter
from gguf.constants import TokenType

from tests import cbuild
from tests.engine.models import alphabet

DATA = cbuild.SOURCES.parent.parent / "shared" / "data"
GOLDEN = Path(__file__).with_name("tokens.json")
PARTS = ("tokenizer", "spm", "bpe", "merge", "vocab", "token_list", "pretokenizer", "unicode", "unicode_table",
         "llama2c_tokenizer", "template", "gguf", "gguf_value", "pieces", "memory", "text", "utf8")
SHIM = Path(__file__).with_name("tokenizer_shim.c")
SOURCES = (*(cbuild.SOURCES / "engine" / f"{part}.c" for part in PARTS), SHIM)
NONE = 2**32 - 1
BYTES, BPE, SPM = range(3)

NORMAL, UNKNOWN, CONTROL, OWN, UNUSED, BYTE = (int(TokenType(number)) for number in range(1, 7))


class Error(ctypes.Structure):
    """struct error."""

    _fields_ = [("code", ctypes.c_int), ("text", ctypes.c_char * 192)]


class LoadError(Exception):
    """A tokenizer that does not load: its code and text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code, self.text = code, text


class Tokenizer:
    """A loaded tokenizer; `vocab` is 0 for GGUF, else the number of tokens of a tokenizer.bin."""

    def __init__(self, shim: ctypes.CDLL, data: bytes, vocab: int = 0) -> None:
        error, facts = Error(), (ctypes.c_uint32 * 5)()
        shim.shim_open.restype = ctypes.c_void_p
        shim.shim_encode.restype = shim.shim_decode.restype = shim.shim_scratch.restype = ctypes.c_size_t
        shim.shim_special.restype = ctypes.c_uint32
        self.shim, self.data = shim, ctypes.create_string_buffer(data, len(data))
        at = shim.shim_open(self.data, ctypes.c_size_t(len(data)), vocab, ctypes.byref(error))
        if at is None:
            raise LoadError(error.code, error.text.decode())
        self.at = ctypes.c_void_p(at)
        shim.shim_facts(self.at, facts)
        self.kind, self.vocab, self.bos, self.eos, self.add_bos = facts

    def encode(self, text: str | bytes, most: int | None = None) -> list[int]:
        """Ids; IndexError when there are more than `most`."""
        data = text.encode() if isinstance(text, str) else text
        most = 2 * len(data) + 2 if most is None else most
        ids = (ctypes.c_uint32 * most)()
        count = self.shim.shim_encode(self.at, data, ctypes.c_size_t(len(data)), ids, ctypes.c_size_t(most))
        if count == 2**64 - 1:
            raise IndexError
        return ids[:count]

    def piece(self, token: int, before: int = NONE) -> bytes:
        """The bytes of one token."""
        out = ctypes.create_string_buffer(4096)
        length = self.shim.shim_decode(self.at, before, token, out)
        return out.raw[:length]

    def decode(self, ids: Sequence[int]) -> bytes:
        """The bytes of a text's tokens."""
        return b"".join(self.piece(token, before) for before, token in zip([NONE, *ids], ids, strict=False))

    def special(self, text: str) -> int | None:
        """The id of a special token."""
        found: int = self.shim.shim_special(self.at, text.encode())
        return None if found == NONE else found

    def template(self) -> tuple[str | None, bool, int]:
        """Its name, whether bos begins a conversation, and the token that ends a turn."""
        facts = (ctypes.c_uint32 * 2)()
        self.shim.shim_template.restype = ctypes.c_char_p
        name = self.shim.shim_template(self.at, facts)
        return name.decode() if name else None, bool(facts[0]), facts[1]

    def turn(self, user: str, system: str | None = None, *, first: bool = True, most: int = 1000) -> list[int]:
        """The tokens of a turn; IndexError when there are more than `most`."""
        ids = (ctypes.c_uint32 * most)()
        self.shim.shim_turn.restype = ctypes.c_size_t
        count = self.shim.shim_turn(self.at, int(first), None if system is None else system.encode(), user.encode(),
                                    ids, ctypes.c_size_t(most))
        if count == 2**64 - 1:
            raise IndexError
        return ids[:count]

    def close(self) -> None:
        self.shim.shim_close(self.at)


def words(shim: ctypes.CDLL, which: int, text: str | bytes) -> list[bytes]:
    """The words that a pre-tokenizer makes."""
    data = text.encode() if isinstance(text, str) else text
    lengths, parts, at = (ctypes.c_uint32 * (len(data) + 1))(), [], 0
    shim.shim_words.restype = ctypes.c_size_t
    for length in lengths[: shim.shim_words(which, data, ctypes.c_size_t(len(data)), lengths)]:
        parts.append(data[at : at + length])
        at += length
    assert at == len(data)
    return parts


@dataclass(frozen=True)
class Piece:
    """A token of a vocabulary file."""

    text: bytes
    score: float = 0.0
    type: int = NORMAL


def llama2c_file(pieces: Sequence[Piece], longest: int | None = None) -> bytes:
    """tokenizer.bin."""
    most = max(len(piece.text) for piece in pieces) if longest is None else longest
    return struct.pack("<i", most) + b"".join(
        struct.pack("<fi", piece.score, len(piece.text)) + piece.text for piece in pieces)


def llama2c_pieces(data: bytes) -> list[Piece]:
    """The tokens of a tokenizer.bin."""
    at, pieces = 4, []
    while at < len(data):
        score, length = struct.unpack_from("<fi", data, at)
        pieces.append(Piece(data[at + 8 : at + 8 + length], score))
        at += 8 + length
    return pieces


def spm_pieces(words: dict[bytes, float]) -> list[Piece]:
    """<unk>, <s>, </s>, the bytes, and these words, in SentencePiece's spelling."""
    specials = [Piece(b"<unk>", 0, UNKNOWN), Piece(b"<s>", 0, CONTROL), Piece(b"</s>", 0, CONTROL)]
    return [*specials, *(Piece(b"<0x%02X>" % byte, 0, BYTE) for byte in range(256)),
            *(Piece(text.replace(b" ", "▁".encode()), score) for text, score in words.items())]


def as_spm(pieces: Sequence[Piece]) -> list[Piece]:
    """The tokens of a tokenizer.bin as SentencePiece has them."""
    return spm_pieces({piece.text: piece.score for piece in pieces[259:]})


def gguf_file(path: Path, kind: str, pieces: Sequence[Piece], merges: Sequence[str] | None = None,
              pre: str | None = None, *, types: bool = True, **more: Any) -> bytes:
    """A GGUF file that is a vocabulary alone, made by the gguf package."""
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(8)
    writer.add_block_count(1)
    writer.add_feed_forward_length(8)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(8)
    add_vocabulary(writer, kind, pieces, merges, pre, types=types, **more)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def add_vocabulary(writer: GGUFWriter, kind: str, pieces: Sequence[Piece], merges: Sequence[str] | None = None,
                   pre: str | None = None, *, types: bool = True, **more: Any) -> None:
    """The keys of a tokenizer; `more`: others of tokenizer.ggml, texts of tokenizer."""
    writer.add_tokenizer_model(kind)
    if pre is not None:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list([piece.text for piece in pieces])
    if kind == "llama":
        writer.add_token_scores([float(piece.score) for piece in pieces])
    if types:
        writer.add_token_types([piece.type for piece in pieces])
    if merges is not None:
        writer.add_token_merges(merges)
    for key, what in more.items():
        if isinstance(what, str):
            writer.add_string(f"tokenizer.{key}", what)
        else:
            (writer.add_bool if isinstance(what, bool) else writer.add_uint32)(f"tokenizer.ggml.{key}", what)


def gpt2_parts() -> tuple[list[Piece], list[str]]:
    """GPT-2's vocabulary and merges, from OpenAI's two files."""
    ids: dict[str, int] = json.loads((DATA / "gpt2" / "encoder.json").read_text())
    lines = (DATA / "gpt2" / "vocab.bpe").read_text().splitlines()[1:]
    pieces = [Piece(text.encode(), 0, CONTROL if text == "<|endoftext|>" else NORMAL)
              for text in sorted(ids, key=lambda text: ids[text])]
    return pieces, lines


def in_alphabet(data: bytes) -> str:
    """Bytes in GPT-2's alphabet."""
    letters = alphabet()
    return "".join(letters[byte] for byte in data)


class Llama2c:
    """What llama2.c's encode and decode do, by their description: quadratic and plain."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces
        self.ids = {piece.text: token for token, piece in enumerate(pieces)}

    def encode(self, text: bytes) -> list[int]:
        """Without bos. Begins with a space unless the text is empty; characters that are no token become bytes; then
        the neighbours that make the token of the best score become one, the leftmost of equals."""
        tokens = [self.ids[b" "]] if text else []
        at = 0
        while at < len(text):
            end = at + 1
            while end < len(text) and end - at < 4 and text[end] & 0xC0 == 0x80:
                end += 1
            found = self.ids.get(text[at:end])
            tokens += [byte + 3 for byte in text[at:end]] if found is None else [found]
            at = end
        while True:
            best, where, what = -1e10, -1, -1
            for i, (left, right) in enumerate(zip(tokens, tokens[1:], strict=False)):
                found = self.ids.get(self.pieces[left].text + self.pieces[right].text)
                if found is not None and self.pieces[found].score > best:
                    best, where, what = self.pieces[found].score, i, found
            if where < 0:
                return tokens
            tokens[where : where + 2] = [what]

    def decode(self, ids: Sequence[int]) -> bytes:
        """After bos."""
        out = b""
        for before, token in zip([1, *ids], ids, strict=False):
            text = self.pieces[token].text
            if before == 1 and text[:1] == b" ":
                text = text[1:]
            if len(text) == 6 and text.startswith(b"<0x") and text.endswith(b">"):
                text = bytes([int(text[3:5], 16)])
            out += text
        return out
