"""The tokenizer of a folder, from whichever file has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from model.importing import sentencepiece, tokenizer_json
from model.importing.reading import AGAIN, read_json
from model.program import InputError
from model.tokenizers import gpt2, make
from model.tokenizers.table import Table

FILES = ("tokenizer.model", "tokenizer.json", "vocab.json", "merges.txt", "added_tokens.json", "tokenizer_config.json",
         "chat_template.jinja")
LONGEST_TEMPLATE = 1 << 20


def read(folder: Path, vocab: int, config: dict[str, Any]) -> Table:
    """As many tokens as the model has: those that its tokenizer lacks are unused. InputError where it has more."""
    about, whole = (read_json(folder / name) if (folder / name).is_file() else {} for name in
                    ("tokenizer_config.json", "tokenizer.json"))
    table = _base(folder, whole)
    if table.vocab > vocab:
        raise InputError(f"{folder}: the model has {vocab:,} tokens, its tokenizer {table.vocab:,}",
                         f"they do not belong together: {AGAIN}")
    bos, eos = (_special(folder, name, table, about, config) for name in ("bos", "eos"))
    table = replace(tokenizer_json.padded(table, vocab), bos=bos, eos=eos)
    adds = about.get("add_bos_token")
    if type(adds) is not bool:
        adds = table.begins if not whole or bos is None else tokenizer_json.begins_with(
            whole, table.pieces[bos].decode(errors="replace"))
    table = table if adds == table.begins else replace(table, adds_bos=adds)
    make(table)  # which looks for what it needs
    return table


def chat_template(folder: Path) -> str | None:
    """How the model wants to be talked to, where it says so."""
    path = folder / "chat_template.jinja"
    if path.is_file() and path.stat().st_size <= LONGEST_TEMPLATE:
        return path.read_text("utf-8", errors="replace")
    path = folder / "tokenizer_config.json"
    found = read_json(path).get("chat_template") if path.is_file() else None
    if isinstance(found, list):  # several, by name
        found = next((one.get("template") for one in found if isinstance(one, dict) and one.get("name") == "default"),
                     None)
    return found if isinstance(found, str) and len(found) <= LONGEST_TEMPLATE else None


def _base(folder: Path, whole: dict[str, Any]) -> Table:
    if (folder / "tokenizer.model").is_file():
        table = sentencepiece.read(folder / "tokenizer.model")
        if whole:
            extra = tokenizer_json.added(folder / "tokenizer.json", whole)
        elif (folder / "added_tokens.json").is_file():
            names = read_json(folder / "added_tokens.json")
            listed = [{"id": i, "content": name, "special": True} for name, i in names.items()]
            extra = tokenizer_json.added(folder / "added_tokens.json", {"added_tokens": listed})
        else:
            extra = []
        return tokenizer_json.with_added(folder, table, [token for token in extra if token.id >= table.vocab])
    if whole:
        return tokenizer_json.read(folder / "tokenizer.json")
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        return gpt2.from_files(folder / "merges.txt", folder / "vocab.json")
    raise InputError(f"{folder} has no tokenizer", "put its tokenizer.model or tokenizer.json there")


def _special(folder: Path, name: str, table: Table, about: dict[str, Any], config: dict[str, Any]) -> int | None:
    """The token that tokenizer_config.json names, or config.json numbers, or its own file says."""
    named = about.get(f"{name}_token")
    text = named.get("content") if isinstance(named, dict) else named
    if isinstance(text, str) and table.kind != "bytes" and text.encode(errors="replace") in table.pieces:
        return table.pieces.index(text.encode())
    number = config.get(f"{name}_token_id")
    number = number[0] if isinstance(number, list) and number else number
    if number is None:
        return table.bos if name == "bos" else table.eos
    if type(number) is not int or not 0 <= number < table.vocab:
        raise InputError(f"{folder}/config.json: {name}_token_id is {str(number)[:40]}, none of {table.vocab:,} tokens",
                         AGAIN)
    return number
