"""Tokenizers on vocabularies made for the purpose: merges against plain Python, special and user-defined tokens,
decoding, hostile texts."""

from __future__ import annotations

import ctypes
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests import peers
from tests.engine.models import alphabet
from tests.engine.tokenizers import (
    BPE,
    BYTES,
    CONTROL,
    NONE,
    NORMAL,
    OWN,
    SPM,
    UNKNOWN,
    UNUSED,
    Llama2c,
    Piece,
    Tokenizer,
    gguf_file,
    in_alphabet,
    llama2c_file,
    spm_pieces,
    words,
)

QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LETTERS = {text: -10.0 for text in (b" ", b"a", b"b", b"c")}
WORDS = st.dictionaries(st.text("abc ", min_size=2, max_size=5).map(str.encode),
                        st.sampled_from([-1.0, -2.0, 0.0, -0.0, 0.5]), max_size=30)
TEXT = st.text("abc é\n😀<0x41>", max_size=40)
CONTROLS = bytes({*range(32), 127} - set(b"\n\t"))  # left out of every text
ANY = st.binary(max_size=200).map(lambda data: data.translate(None, CONTROLS))
SPECIALS = [Piece(b"<|end|>", 0, CONTROL), Piece(b"<unk>", 0, UNKNOWN), Piece(b"<pad>", 0, UNUSED)]


def bpe_parts(lines: Sequence[tuple[bytes, bytes]]) -> tuple[list[Piece], list[str]]:
    """The bytes and what these merges make."""
    made = [bytes([byte]) for byte in range(256)]
    made += dict.fromkeys(left + right for left, right in lines)
    return ([Piece(in_alphabet(text).encode(), 0, NORMAL) for text in made],
            [f"{in_alphabet(left)} {in_alphabet(right)}" for left, right in lines])


MERGES = [(b"l", b"o"), (b"lo", b"w"), (b" ", b"low"), (b"e", b"r"), (b"a", b"a"), (b"aa", b"aa"), (b"\xc3", b"\xa9"),
          (b" ", b" "), (b"1", b"2")]


@pytest.fixture(scope="module")
def bpe(shim: ctypes.CDLL, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    pieces, merges = bpe_parts(MERGES)
    own = [Piece(b"<own>", 0, OWN), Piece(b"<ow", 0, OWN), Piece(b"n>x", 0, OWN), Piece(b"   ", 0, OWN)]
    return Tokenizer(shim, gguf_file(tmp_path_factory.mktemp("bpe") / "v", "gpt2", [*pieces, *SPECIALS, *own],
                                     merges, "gpt-2", eos_token_id=len(pieces)))


@pytest.fixture(scope="module")
def spm(shim: ctypes.CDLL, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    pieces = [*spm_pieces({**LETTERS, b" a": -1, b"ab": -2, b"  ": -3, b" ab": -4}), Piece(b"<own>", 0, OWN)]
    return Tokenizer(shim, gguf_file(tmp_path_factory.mktemp("spm") / "v", "llama", pieces, bos_token_id=1))


@QUICK
@given(more=WORDS, text=TEXT)
def test_merges_by_score_then_place(shim: ctypes.CDLL, tmp_path: Path, more: dict[bytes, float], text: str) -> None:
    """tokenizer.bin and GGUF give what llama2.c's loop gives, equal scores included."""
    pieces = spm_pieces({**LETTERS, **more})
    plain = [Piece(piece.text.replace("▁".encode(), b" "), piece.score) for piece in pieces]
    expected = Llama2c(plain).encode(text.encode())
    for tokenizer in (Tokenizer(shim, llama2c_file(plain), len(plain)),
                      Tokenizer(shim, gguf_file(tmp_path / "v", "llama", pieces))):
        assert tokenizer.encode(text) == expected
        assert tokenizer.decode([1, *expected]) == text.encode()
        tokenizer.close()


@pytest.mark.slow
def test_the_three_agree_on_ties(shim: ctypes.CDLL, tmp_path: Path) -> None:
    """Ours, llama.cpp and sentencepiece on random vocabularies of few scores."""
    peers.needs("llama-cpp-python", "sentencepiece")
    rng = random.Random(3)
    for _ in range(20):
        more = {"".join(rng.choice("abc ") for _ in range(rng.randrange(2, 5))).encode(): float(rng.randrange(-3, 0))
                for _ in range(25)}
        pieces = spm_pieces({**LETTERS, **more})
        path = tmp_path / "v"
        ours = Tokenizer(shim, gguf_file(path, "llama", pieces, bos_token_id=1, eos_token_id=2, unknown_token_id=0))
        texts = ["".join(rng.choice("abc ") for _ in range(rng.randrange(1, 40))) for _ in range(50)]
        found = [ours.encode(text) for text in texts]
        assert found == peers.ask("llama_tokens", model=str(path), texts=texts)
        assert found == peers.ask("sentencepiece_bpe", texts=texts,
                                  pieces=[(piece.text.decode(), piece.score, piece.type) for piece in pieces])


def reference_bpe(lines: Sequence[tuple[bytes, bytes]], word: bytes) -> list[bytes]:
    """Sennrich's loop: the first merge of the list that applies, at its leftmost place, again and again."""
    parts = [bytes([byte]) for byte in word]
    while True:
        for pair in lines:
            places = [i for i in range(len(parts) - 1) if (parts[i], parts[i + 1]) == pair]
            if places:
                parts[places[0] : places[0] + 2] = [pair[0] + pair[1]]
                break
        else:
            return parts


@st.composite
def merge_lists(draw: st.DrawFn) -> list[tuple[bytes, bytes]]:
    known, lines = [b"a", b"b", b" ", b"\xc3"], []
    for _ in range(draw(st.integers(1, 15))):
        pair = draw(st.sampled_from(known)), draw(st.sampled_from(known))
        if pair not in lines and len(pair[0] + pair[1]) < 12:
            lines.append(pair)
            known.append(pair[0] + pair[1])
    return draw(st.permutations(lines))


@QUICK
@given(lines=merge_lists(), text=st.text("abé ", max_size=40))
def test_merges_by_rank_then_place(shim: ctypes.CDLL, tmp_path: Path, lines: list[tuple[bytes, bytes]],
                                   text: str) -> None:
    assume(lines)
    pieces, merges = bpe_parts(lines)
    tokenizer = Tokenizer(shim, gguf_file(tmp_path / "v", "gpt2", pieces, merges))
    parts = [part for word in words(shim, 0, text) for part in reference_bpe(lines, word)]
    ids = tokenizer.encode(text)
    assert [tokenizer.piece(token) for token in ids] == parts
    tokenizer.close()


@QUICK
@given(data=ANY)
def test_bytes_come_back(bpe: Tokenizer, spm: Tokenizer, data: bytes) -> None:
    """Whatever they are, UTF-8 or not."""
    assert bpe.decode(bpe.encode(data)) == data
    if "▁".encode() not in data:
        assert spm.decode([1, *spm.encode(data)]) == data


def test_llama2c_bytes_come_back(shim: ctypes.CDLL) -> None:
    pieces = [Piece(piece.text.replace("▁".encode(), b" "), piece.score)
              for piece in spm_pieces({**LETTERS, "é".encode(): -1.0, b" a": -2})]
    tokenizer, port = Tokenizer(shim, llama2c_file(pieces), len(pieces)), Llama2c(pieces)
    rng = random.Random(5)
    for _ in range(500):
        data = bytes(rng.choice(b"ab \xc3\xa9\xff\x80\xf0\x9f\x98\x80\xe2\x96\x81") for _ in range(rng.randrange(30)))
        assert tokenizer.encode(data) == port.encode(data)
        assert tokenizer.decode([1, *tokenizer.encode(data)]) == data


def test_llama2c_quirks(shim: ctypes.CDLL) -> None:
    """No space before an empty text; bytes are 3 and up; what is no token is not merged; -1e10 is too low a score."""
    pieces = [Piece(piece.text.replace("▁".encode(), b" "), piece.score) for piece in
              spm_pieces({**LETTERS, "aé".encode(): 5.0, b"ab": -1e10, b"bc": -9e9})]
    tokenizer = Tokenizer(shim, llama2c_file(pieces), len(pieces))
    space, a, b = 259, 260, 261
    assert tokenizer.encode("") == []
    assert tokenizer.encode(" ") == [space, space]
    assert tokenizer.encode("aé") == [space, a, 3 + 0xC3, 3 + 0xA9]
    assert tokenizer.encode(b"a\x80") == [space, 3 + ord("a"), 3 + 0x80]
    assert tokenizer.encode("ab") == [space, a, b]
    assert tokenizer.encode("bc") == [space, len(pieces) - 1]
    assert [tokenizer.special(name) for name in ("<unk>", "<s>", "</s>", "a", "")] == [0, 1, 2, None, None]


def test_minus_zero_is_zero(shim: ctypes.CDLL, tmp_path: Path) -> None:
    tokenizer = Tokenizer(shim, gguf_file(tmp_path / "v", "llama", spm_pieces({**LETTERS, b"ab": -0.0, b"bc": 0.0})))
    assert tokenizer.encode("abc") == [259, 263, 262]


def test_unknown_characters_merge_in_gguf(shim: ctypes.CDLL, tmp_path: Path) -> None:
    """As in sentencepiece: a piece may hold a character that is no piece itself."""
    tokenizer = Tokenizer(shim, gguf_file(tmp_path / "v", "llama", spm_pieces({**LETTERS, "aé".encode(): 5.0})))
    assert tokenizer.encode("aé") == [259, 263]


def test_space_at_the_start(spm: Tokenizer, shim: ctypes.CDLL, tmp_path: Path) -> None:
    """Added by encoding, left out after bos and at the start by decoding, unless the file says no."""
    assert (spm.kind, spm.bos, spm.eos, spm.add_bos) == (SPM, 1, 2, 1)
    (word,) = spm.encode("ab")
    assert (spm.piece(word, 5), spm.piece(word, 1), spm.piece(word)) == (b" ab", b"ab", b"ab")
    space = 3 + 0x20
    assert spm.piece(space, 1) == b" "  # a byte stays
    bare = Tokenizer(shim, gguf_file(tmp_path / "v", "llama", spm_pieces(dict(LETTERS)), add_space_prefix=False,
                                     add_bos_token=False))
    assert bare.encode("a") == [260] and bare.encode(" a") == [259, 260]
    assert bare.piece(259, 1) == b" " and bare.add_bos == 0


def test_special_tokens_are_no_text(bpe: Tokenizer, spm: Tokenizer) -> None:
    """Neither come from it, nor are they shown."""
    for tokenizer, names in ((bpe, ("<|end|>", "<unk>")), (spm, ("<s>", "</s>", "<unk>"))):
        for name in names:
            token = tokenizer.special(name)
            assert token is not None and token not in tokenizer.encode(f"{name} {name}")
            assert tokenizer.piece(token) == b""
            assert tokenizer.decode(tokenizer.encode(name)) == name.encode()
    assert 3 + 0x41 not in spm.encode("<0x41>")
    assert bpe.special("<pad>") is None and bpe.special("lo") is None


def test_user_defined_tokens_come_first(bpe: Tokenizer, spm: Tokenizer) -> None:
    """The longest before the others, then the leftmost."""
    own, short, late, space = (bpe.special(name) for name in ("<own>", "<ow", "n>x", "   "))
    assert bpe.encode("<own>") == [own]
    assert bpe.encode("<own>x") == [own, ord("x")]
    assert bpe.encode("<own<own>") == [short, ord("n"), own]
    assert bpe.encode("<own>x<own") == [own, ord("x"), short, ord("n")]
    assert bpe.encode("n>x") == [late]
    assert bpe.encode("a       b")[:3] == [ord("a"), space, space]
    assert bpe.piece(own or 0) == b"<own>"
    mine = spm.special("<own>")
    # a text after one begins anew, as in llama.cpp
    assert spm.encode("a<own>a") == [*spm.encode("a"), mine, *spm.encode("a")]
    assert spm.encode("<own>") == [mine]


def test_every_merge_leaves_two_more(shim: ctypes.CDLL) -> None:
    """The most pairs that the heap ever holds."""
    made = {b"ab": -1.0} | {word: -2.0 for word in (b"xa", b"by", b"yx", b"xab", b"aby")}
    pieces = [Piece(piece.text.replace("▁".encode(), b" "), piece.score)
              for piece in spm_pieces({**LETTERS, b"x": -9.0, b"y": -9.0, **made})]
    tokenizer = Tokenizer(shim, llama2c_file(pieces), len(pieces))
    assert tokenizer.encode("xaby" * 100) == Llama2c(pieces).encode(b"xaby" * 100)


def test_the_first_of_equal_merges_counts(shim: ctypes.CDLL, tmp_path: Path) -> None:
    pieces, merges = bpe_parts([(b"a", b"b"), (b"b", b"c"), (b"a", b"b")])
    assert Tokenizer(shim, gguf_file(tmp_path / "v", "gpt2", pieces, merges)).encode("abc") == [256, ord("c")]


def test_whole_words(shim: ctypes.CDLL, tmp_path: Path) -> None:
    """llama-bpe takes a word that is a token, whatever the merges would make of it."""
    pieces, merges = bpe_parts([(b"a", b"b"), (b"b", b"c")])
    pieces.append(Piece(b"abc"))
    for pre, expected in (("llama-bpe", [len(pieces) - 1]), ("gpt-2", [256, ord("c")])):
        assert Tokenizer(shim, gguf_file(tmp_path / "v", "gpt2", pieces, merges, pre)).encode("abc") == expected


def test_byte_vocabulary(shim: ctypes.CDLL, tmp_path: Path) -> None:
    pieces = [Piece(letter.encode()) for letter in reversed(alphabet())]
    lists: list[list[str] | None] = [[], None]
    for merges in lists:
        tokenizer = Tokenizer(shim, gguf_file(tmp_path / "v", "gpt2", [*pieces, *SPECIALS], merges, "not used"))
        assert (tokenizer.kind, tokenizer.bos, tokenizer.eos, tokenizer.add_bos) == (BYTES, NONE, NONE, 0)
        assert tokenizer.encode("aé\n") == [255 - byte for byte in "aé\n".encode()]


def test_no_types(shim: ctypes.CDLL, tmp_path: Path) -> None:
    """SPM files without token types are understood by their tokens' names."""
    tokenizer = Tokenizer(shim, gguf_file(tmp_path / "v", "llama", spm_pieces({**LETTERS, b" a": 1.0}), types=False))
    assert tokenizer.encode("aé") == [263, 3 + 0xC3, 3 + 0xA9]
    assert tokenizer.special("<s>") == tokenizer.bos == 1


def test_controls_are_left_out(bpe: Tokenizer, spm: Tokenizer) -> None:
    for tokenizer in (bpe, spm):
        assert tokenizer.encode(b"l\x00o\x1b\r\x7f\x08w") == tokenizer.encode("low")
        assert tokenizer.encode(b"\x00\x01") == []


def test_room(bpe: Tokenizer, spm: Tokenizer, shim: ctypes.CDLL) -> None:
    """Exactly as many ids as there is room for; sizes beyond 32 bits are refused."""
    for tokenizer in (bpe, spm):
        n = len(tokenizer.encode("lower é"))
        assert len(tokenizer.encode("lower é", most=n)) == n
        for most in range(n):
            with pytest.raises(IndexError):
                tokenizer.encode("lower é", most=most)
        assert shim.shim_scratch(tokenizer.at, ctypes.c_size_t(100_000)) < 6_000_000
        for size in (2**32, 2**63, 2**64 - 1):
            assert shim.shim_scratch(tokenizer.at, ctypes.c_size_t(size)) == 2**64 - 1


def test_memory_comes_back(shim: ctypes.CDLL, tmp_path: Path) -> None:
    shim.shim_held.restype = ctypes.c_size_t
    before = shim.shim_held()
    pieces, merges = bpe_parts(MERGES)
    tokenizer = Tokenizer(shim, gguf_file(tmp_path / "v", "gpt2", pieces, merges))
    assert (tokenizer.kind, shim.shim_held() > before) == (BPE, True)
    tokenizer.close()
    assert shim.shim_held() == before


@pytest.mark.parametrize("text", [b"a" * 100_000, random.Random(1).randbytes(100_000), b" " * 100_000,
                                  b"ab " * 33_000, b"<own>" * 20_000, b"1\n " * 30_000, b"\xe2\x96" * 50_000],
                         ids=["letter", "random", "spaces", "words", "own", "lines", "broken"])
def test_100_kb(bpe: Tokenizer, spm: Tokenizer, text: bytes) -> None:
    """Of a kind that is slow where an encoder is quadratic (then this takes minutes)."""
    start = time.process_time()
    for tokenizer in (bpe, spm):
        assert b"".join(tokenizer.piece(token, 5) for token in set(tokenizer.encode(text))) != b""
    assert time.process_time() - start < 5
    assert bpe.decode(bpe.encode(text)) == text.translate(None, CONTROLS)
