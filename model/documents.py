"""Texts as documents: what a file holds, and which part of it is held out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model.program import InputError

END = "<|endoftext|>"  # between the stories of a text file
TENTH = 10  # every tenth document is held out


def read(path: Path) -> list[str]:
    """A `.json` file: a list of texts, or of objects with `story` or `text`; any other: UTF-8 text, a document, or
    several between <|endoftext|>. InputError names the file and the place."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: byte {error.start:,} is {error.object[error.start]:#04x}",
                         "convert it: iconv -f ENCODING -t UTF-8") from None
    if path.suffix == ".json":
        return _json(path, text)
    return [part for part in (piece.strip() for piece in text.split(END)) if part]


def _json(path: Path, text: str) -> list[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}", "download the shard anew") from None
    if not isinstance(found, list):
        raise InputError(f"{path} holds no list of documents", "it must be a list of objects with `story` or `text`")
    return [_document(path, i, item) for i, item in enumerate(found)]


def _document(path: Path, number: int, item: Any) -> str:
    text = item if isinstance(item, str) else item.get("story", item.get("text")) if isinstance(item, dict) else None
    if not isinstance(text, str):
        raise InputError(f"{path}: document {number} has no `story` and no `text`", "download the shard anew")
    return text.strip()


def of_folder(path: Path) -> list[Path]:
    """The file itself; of a folder every .txt, .md and .json in it, sorted by name."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in (".txt", ".md", ".json") and file.is_file())
    if not found:
        raise InputError(f"{path} holds no .txt, .md or .json", "give a folder of texts, or a file")
    return found


def split(documents: Sequence[str]) -> tuple[list[str], list[str]]:
    """To learn from, and held out: nine documents of ten; of fewer than ten documents each one's last tenth."""
    if len(documents) >= TENTH:
        return ([text for i, text in enumerate(documents) if i % TENTH != TENTH - 1],
                [text for i, text in enumerate(documents) if i % TENTH == TENTH - 1])
    cuts = [len(text) * (TENTH - 1) // TENTH for text in documents]
    return ([text[:cut] for text, cut in zip(documents, cuts, strict=True)],
            [text[cut:] for text, cut in zip(documents, cuts, strict=True)])
