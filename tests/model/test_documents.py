"""Texts as documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model import documents
from model.program import InputError


def test_stories_of_a_shard_and_of_a_text(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(json.dumps([{"story": " One. "}, {"text": "Two."}, "Three."]))
    (tmp_path / "data.txt").write_text("One.\n<|endoftext|>\nTwo.\n<|endoftext|>\n")
    assert documents.read(tmp_path / "data.json") == ["One.", "Two.", "Three."]
    assert documents.read(tmp_path / "data.txt") == ["One.", "Two."]
    assert documents.of_folder(tmp_path) == [tmp_path / "data.json", tmp_path / "data.txt"]


@pytest.mark.parametrize("name, content, what", [
    ("a.json", b"{", "is not JSON"), ("a.json", b"{}", "holds no list"), ("a.json", b"[1]", "document 0 has no"),
    ("a.json", b'[{"story": "x"}, {"story": 3}]', "document 1 has no"), ("a.json", b"[" * 100_000, "is not JSON"),
    ("a.txt", "na\u00efve".encode("latin-1"), "is not UTF-8: byte 2 is 0xef"),
])
def test_what_is_none(name: str, content: bytes, what: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=what):
        documents.read(tmp_path / name)


def test_a_folder_without_texts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.txt"):
        documents.of_folder(tmp_path)


def test_nine_of_ten() -> None:
    many = [str(i) for i in range(30)]
    train, val = documents.split(many)
    assert val == ["9", "19", "29"] and sorted(train + val) == sorted(many)
    assert documents.split(["0123456789" * 2]) == (["012345678901234567"], ["89"])
