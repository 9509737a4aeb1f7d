"""Chat templates: turns as tokens, against what jinja2 made of the published templates (templates.json, by
golden_templates.py); what is no template that is known; marks that a user types."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.golden_templates import FIRST, GOLDEN, SECOND, SYSTEM
from tests.engine.tokenizers import CONTROL, NONE, OWN, UNKNOWN, Piece, Tokenizer, gguf_file, in_alphabet, spm_pieces

CASES = json.loads(GOLDEN.read_text())
MARKS = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
         "<start_of_turn>", "<end_of_turn>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
BYTES = [Piece(in_alphabet(bytes([byte])).encode()) for byte in range(256)]


def with_marks(shim: ctypes.CDLL, folder: Path, template: str, *, kind: int = CONTROL, **more: Any) -> Tokenizer:
    """A token a byte, and the marks."""
    pieces = [*BYTES, *(Piece(mark.encode(), 0, kind if mark not in ("<s>", "</s>") else CONTROL) for mark in MARKS)]
    return Tokenizer(shim, gguf_file(folder / "v.gguf", "gpt2", pieces, [], chat_template=template, bos_token_id=256,
                                     eos_token_id=257, **more))


def as_text(ids: list[int]) -> str:
    """Marks by their names, byte by byte the rest."""
    return b"".join(bytes([token]) if token < 256 else MARKS[token - 256].encode() for token in ids).decode()


@pytest.mark.parametrize(("name", "case"), [(name, case) for name in CASES for case in CASES[name]["rendered"]])
def test_as_the_published_template(shim: ctypes.CDLL, tmp_path: Path, name: str, case: str) -> None:
    t = with_marks(shim, tmp_path, CASES[name]["template"])
    assert t.template()[0] == name
    ids = t.turn(FIRST, SYSTEM if "system" in case else None)
    if "two" in case:
        ids += [*CASES[name]["reply"].encode(), *t.turn(SECOND, SYSTEM, first=False)]
    golden = CASES[name]["rendered"][case]
    assert as_text(ids) == golden
    assert sum(token >= 256 for token in ids) == sum(golden.count(mark) for mark in MARKS)


@pytest.mark.parametrize("kind", [CONTROL, OWN])
@pytest.mark.parametrize("name", CASES)
def test_a_user_types_marks(shim: ctypes.CDLL, tmp_path: Path, name: str, kind: int) -> None:
    """They are text, however the vocabulary holds them."""
    t = with_marks(shim, tmp_path, CASES[name]["template"], kind=kind)
    typed = "a" + "".join(mark for mark in MARKS if mark in CASES[name]["template"] or kind == CONTROL) + "[INST]"
    ids, plain = t.turn(typed, typed), t.turn("a", "a")
    assert sum(token >= 256 for token in ids) == sum(token >= 256 for token in plain)
    assert as_text(ids).count(typed) == (2 if t.turn("a", "b") != t.turn("a") else 1)


def test_a_mark_that_is_own_is_no_text_in_sentencepiece(shim: ctypes.CDLL, tmp_path: Path) -> None:
    """Nor when merges could build it."""
    pieces = [*spm_pieces({b"<|": -1.0, b"<|e": -1.0, b"<|en": -1.0, b"<|end": -1.0, b"<|end|": -1.0, b"<": -9.0}),
              Piece(b"<|end|>", 0, OWN), Piece(b"<|user|>", 0, OWN), Piece(b"<|assistant|>", 0, OWN)]
    t = Tokenizer(shim, gguf_file(tmp_path / "v.gguf", "llama", pieces, bos_token_id=1, eos_token_id=2,
                                  chat_template=CASES["phi3"]["template"]))
    end = t.special("<|end|>")
    assert end is not None
    assert t.template() == ("phi3", True, end)
    assert end not in t.encode("<|end|>")
    assert t.turn("<|end|>").count(end) == 1 and t.turn("x", first=False)[0] == end


@pytest.mark.parametrize("template", [
    "{{ messages }}", "{{'<|im_start|>' + role + '<|im_sep|>'}}", "<|role_start|>", " ",
    "{{ '<|user|>\n' + message['content'] + '\n' }}{{ '<|assistant|>\n' }}</s>",
])
def test_what_is_not_known(shim: ctypes.CDLL, tmp_path: Path, template: str) -> None:
    t = with_marks(shim, tmp_path, template)
    assert (t.template()[0], t.template()[2]) == ("unknown", NONE)


def test_none(shim: ctypes.CDLL, tmp_path: Path) -> None:
    assert with_marks(shim, tmp_path, "").template()[0] is None
    data = gguf_file(tmp_path / "v.gguf", "llama", [Piece(b"<unk>", 0, UNKNOWN), *spm_pieces({})[1:]])
    assert Tokenizer(shim, data).template()[0] is None


def test_a_known_one_without_its_marks(shim: ctypes.CDLL, tmp_path: Path) -> None:
    """Nothing would end a reply."""
    data = gguf_file(tmp_path / "v.gguf", "gpt2", BYTES, [], chat_template=CASES["chatml"]["template"])
    assert Tokenizer(shim, data).template()[0] == "unknown"


@pytest.mark.parametrize(("add", "name", "first"), [(True, "chatml", True), (False, "chatml", False),
                                                    (False, "llama3", True)])
def test_bos(shim: ctypes.CDLL, tmp_path: Path, add: bool, name: str, first: bool) -> None:
    """As the file or the template says; in the first turn alone."""
    t = with_marks(shim, tmp_path, CASES[name]["template"], add_bos_token=add)
    assert (t.turn("a")[0] == 256) == first
    assert 256 not in t.turn("a", first=False)


def test_bounds(shim: ctypes.CDLL, tmp_path: Path) -> None:
    t = with_marks(shim, tmp_path, CASES["chatml"]["template"])
    whole = t.turn("abc", "def")
    assert t.turn("abc", "def", most=len(whole)) == whole
    for most in range(len(whole)):
        with pytest.raises(IndexError):
            t.turn("abc", "def", most=most)
