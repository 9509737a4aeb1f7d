"""A tokenizer as Hugging Face's tokenizers has it (format: its documentation, "Components").

bytes and gpt2 are its byte-level BPE. llama's merges go by the score of what they make, which a list of pairs in that
order says too. chars and words have no such file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model.export.gguf import byte_alphabet
from model.tokenizers.gpt2 import PRETOKENIZERS
from model.tokenizers.table import CONTROL, NORMAL, SPACE, UNKNOWN, USER, Table

CLASS = "PreTrainedTokenizerFast"  # that which takes tokenizer.json as it is


def files(table: Table, context: int, chat_template: str | None = None) -> dict[str, dict[str, Any]]:
    """Name -> JSON; none where nothing makes the same tokens."""
    if table.kind not in ("bytes", "gpt2", "llama"):
        return {}
    names = _names(table)
    about: dict[str, Any] = {"tokenizer_class": CLASS, "model_max_length": context, "add_bos_token": table.begins,
                             "clean_up_tokenization_spaces": False}
    if table.kind != "bytes":  # whose bos and eos are bytes of the text
        about |= {f"{name}_token": names[token] for name, token in (("bos", table.bos), ("eos", table.eos))
                  if token is not None}
    if chat_template is not None:
        about["chat_template"] = chat_template
    return {"tokenizer.json": _tokenizer(table, names), "tokenizer_config.json": about}


def _tokenizer(table: Table, names: list[str]) -> dict[str, Any]:
    parts = _sentencepiece(table, names) if table.kind == "llama" else _byte_level(table, names)
    bos = table.bos if table.begins else None
    first = [] if bos is None else [{"SpecialToken": {"id": names[bos], "type_id": 0}}]
    specials = {} if bos is None else {names[bos]: {"id": names[bos], "ids": [bos], "tokens": [names[bos]]}}
    template = {"type": "TemplateProcessing", "single": [*first, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [*first, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": specials}
    return {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [
                {"id": i, "content": name, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                 "special": table.types[i] != USER}
                for i, name in enumerate(names) if table.types[i] in (UNKNOWN, CONTROL, USER)],
            "post_processor": template, **parts}


def _names(table: Table) -> list[str]:
    alphabet = byte_alphabet()
    return ["".join(alphabet[byte] for byte in piece) if table.kind != "llama" and kind == NORMAL else piece.decode()
            for piece, kind in zip(table.pieces, table.types, strict=True)]


def _bpe(names: list[str], merges: list[list[str]], **more: Any) -> dict[str, Any]:
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {name: i for i, name in enumerate(names)}, "merges": merges, **more}


def _byte_level(table: Table, names: list[str]) -> dict[str, Any]:
    level: dict[str, Any] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    merges = [[names[left], names[right]] for left, right in table.merges]
    before = level if table.kind == "bytes" else PRETOKENIZERS[table.pre].theirs
    return {"normalizer": None, "pre_tokenizer": before, "decoder": level,
            "model": _bpe(names, merges, ignore_merges=table.pre == "llama-bpe")}


def _sentencepiece(table: Table, names: list[str]) -> dict[str, Any]:
    bytes_too = "<0x00>" in names
    unknown = next((name for name, kind in zip(names, table.types, strict=True) if kind == UNKNOWN), None)
    fallback = [{"type": "ByteFallback"}, {"type": "Fuse"}] if bytes_too else [{"type": "Fuse"}]
    return {
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": SPACE},
            {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}]},
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}, *fallback,
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": _bpe(names, list(_merges(table, names)), unk_token=unknown, byte_fallback=bytes_too),
    }


def _merges(table: Table, names: list[str]) -> Iterator[list[str]]:
    """Every way to make a piece of two others; the highest score first."""
    ids = {name: i for i, name in enumerate(names) if table.types[i] in (NORMAL, USER)}
    for name in sorted(ids, key=lambda name: (-table.scores[ids[name]], ids[name])):
        for cut in range(1, len(name)):
            if name[:cut] in ids and name[cut:] in ids:
                yield [name[:cut], name[cut:]]
