"""tokenizer.json of Hugging Face's tokenizers (format: its documentation, "Components"): BPE of bytes, or Llama's."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model.export.gguf import byte_alphabet
from model.importing.reading import AGAIN, read_json
from model.program import InputError
from model.tokenizers import simple
from model.tokenizers.gpt2 import PRETOKENIZERS
from model.tokenizers.table import BYTE, CONTROL, LONGEST, MOST, NORMAL, SPACE, UNKNOWN, UNUSED, USER, Table

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_CAN = "byte-level BPE as GPT-2, Llama 3, SmolLM and Qwen 2 have it, and Llama's BPE can be imported"


@dataclass(frozen=True)
class Added:
    """A token that is looked for in a text before all others; a special one is no text."""

    id: int
    text: str
    special: bool


def read(path: Path) -> Table:
    """The table, without bos and eos. InputError for a tokenizer that none of ours equals."""
    found = read_json(path)
    model = found.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
        raise _refused(path, "it is no BPE")
    for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(name):
            raise _refused(path, f"it has a {name}")
    names, merges = _vocab(path, model), _merges(path, model)
    extra = added(path, found)
    if _is_llama(path, found, model):
        return with_added(path, _llama(path, names, merges, model), extra)
    return with_added(path, _byte_level(path, names, merges, found, model, {token.id for token in extra}), extra)


def added(path: Path, found: dict[str, Any]) -> list[Added]:
    """Its added tokens."""
    listed = found.get("added_tokens") or []
    if not isinstance(listed, list) or len(listed) > MOST:
        raise _refused(path, "its added_tokens are no list")
    tokens = []
    for one in listed:
        about = one if isinstance(one, dict) else {}
        number, text = about.get("id"), about.get("content")
        if type(number) is not int or not 0 <= number < MOST or not isinstance(text, str) or not _fits(text):
            raise _refused(path, "an added token has no id and content")
        tokens.append(Added(number, text, about.get("special") is True))
    return tokens


def begins_with(found: dict[str, Any], bos: str) -> bool:
    """Whether its post_processor puts this token first."""
    about = found.get("post_processor")
    many = about.get("processors") if isinstance(about, dict) and about.get("type") == "Sequence" else [about]
    for one in many if isinstance(many, list) else []:
        single = one.get("single") if isinstance(one, dict) else None
        first = single[0] if isinstance(single, list) and single else None
        special = first.get("SpecialToken") if isinstance(first, dict) else None
        if isinstance(special, dict) and special.get("id") == bos:
            return True
    return False


def with_added(path: Path, table: Table, extra: list[Added]) -> Table:
    """The table with these tokens in their places, and unused ones where that leaves holes."""
    if not extra:
        return table
    wide = padded(table, max(table.vocab, *(token.id + 1 for token in extra)))
    pieces, types = list(wide.pieces), list(wide.types)
    for token in extra:
        if token.id < table.vocab and types[token.id] in (UNKNOWN, BYTE):
            continue
        pieces[token.id], types[token.id] = token.text.encode(), CONTROL if token.special else USER
    if len(set(pieces)) < len(pieces):
        raise _refused(path, "an added token is there twice")
    return replace(wide, pieces=tuple(pieces), types=tuple(types))


def padded(table: Table, vocab: int) -> Table:
    """As many tokens, those that are new being unused: models have rows for more than their tokenizers."""
    new = range(table.vocab, vocab)
    return replace(table, pieces=(*table.pieces, *(f"<|unused_{i}|>".encode() for i in new)),
                   types=(*table.types, *(UNUSED for _ in new)),
                   scores=(*table.scores, *(0.0 for _ in new)) if table.kind == "llama" else ())


def _vocab(path: Path, model: dict[str, Any]) -> list[str]:
    """Names by their ids; a hole has the name of one that is unused."""
    vocab = model.get("vocab")
    if not isinstance(vocab, dict) or not vocab:
        raise _refused(path, "it has no vocab")
    ids = list(vocab.values())
    if not all(type(i) is int and 0 <= i < MOST for i in ids) or len(set(ids)) < len(ids):
        raise _refused(path, "two tokens have one id, or one has none")
    if not all(map(_fits, vocab)):
        raise _refused(path, f"a token has more than {LONGEST} bytes, or is no text")
    names = [f"<|unused_{i}|>" for i in range(max(ids) + 1)]
    for name, i in vocab.items():
        names[i] = name
    if len(set(names)) < len(names):
        raise _refused(path, "two tokens are the same")
    return names


def _fits(text: str) -> bool:
    try:
        return 0 < len(text.encode()) <= LONGEST
    except UnicodeEncodeError:
        return False


def _merges(path: Path, model: dict[str, Any]) -> list[tuple[str, str]]:
    listed = model.get("merges")
    if not isinstance(listed, list) or len(listed) > 2 * MOST:
        raise _refused(path, "it has no list of merges")
    pairs = []
    for one in listed:
        pair = one.split(" ") if isinstance(one, str) else one
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise _refused(path, f"the merge {str(one)[:40]!r} is not two tokens")
        pairs.append((pair[0], pair[1]))
    return pairs


def _is_llama(path: Path, found: dict[str, Any], model: dict[str, Any]) -> bool:
    """Whether spaces are made U+2581, one before the text included. InputError for half of that."""
    if model.get("byte_fallback") is not True:
        return False
    before, pre = found.get("normalizer"), found.get("pre_tokenizer")
    replaced = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    if pre is None and before == {"type": "Sequence",
                                  "normalizers": [{"type": "Prepend", "prepend": SPACE}, replaced]}:
        return True
    if before is None and isinstance(pre, dict) and pre.get("type") == "Metaspace" and pre.get("replacement") == SPACE:
        scheme = pre.get("prepend_scheme", "always" if pre.get("add_prefix_space", True) else "never")
        if scheme in ("always", "first") and pre.get("split") is False:
            return True
    raise _refused(path, "it treats spaces in a way of its own")


def _llama(path: Path, names: list[str], merges: list[tuple[str, str]], model: dict[str, Any]) -> Table:
    """A score is minus the place of the first merge that makes the piece."""
    scores: dict[str, float] = {}
    known = set(names)
    for place, (left, right) in enumerate(merges):
        if not {left, right, left + right} <= known:
            raise _refused(path, f"the merge of {left[:20]!r} and {right[:20]!r} is none of its tokens")
        scores.setdefault(left + right, -float(place))

    def kind(name: str) -> int:
        if name == model.get("unk_token"):
            return UNKNOWN
        if _BYTE.fullmatch(name):
            return BYTE
        return NORMAL if len(name) == 1 or name in scores else UNUSED  # which no merge makes

    return Table("llama", tuple(name.encode() for name in names), tuple(map(kind, names)),
                 tuple(scores.get(name, 0.0) for name in names))


def _byte_level(path: Path, names: list[str], merges: list[tuple[str, str]], found: dict[str, Any],
                model: dict[str, Any], extra: set[int]) -> Table:
    back = {char: byte for byte, char in enumerate(byte_alphabet())}
    if found.get("normalizer") is not None:
        raise _refused(path, "it changes texts before it cuts them into words")
    pre = _simple(found.get("pre_tokenizer"))
    if not merges and names == byte_alphabet() and pre == {"type": "ByteLevel", "add_prefix_space": False,
                                                          "use_regex": False}:
        return replace(simple.bytes_table(), bos=None, eos=None)
    rule = next((name for name, known in PRETOKENIZERS.items() if _simple(known.theirs) == pre), None)
    if rule is None:
        raise _refused(path, "it cuts texts into words by a rule that is none of ours")
    if model.get("ignore_merges") and rule != "llama-bpe":
        raise _refused(path, "it ignores merges")
    kinds = [UNUSED if i in extra or name == f"<|unused_{i}|>" else NORMAL for i, name in enumerate(names)]
    try:
        pieces = tuple(bytes(back[char] for char in name) if kind == NORMAL else name.encode()
                       for name, kind in zip(names, kinds, strict=True))
    except KeyError:
        raise _refused(path, "a token has characters that stand for no byte") from None
    ids = {name: i for i, name in enumerate(names) if kinds[i] == NORMAL}
    if len({piece for piece, kind in zip(pieces, kinds, strict=True) if kind == NORMAL and len(piece) == 1}) < 256:
        raise _refused(path, "it lacks tokens for some bytes")
    try:
        made = [ids[left + right] for left, right in merges]
        pairs = tuple((ids[left], ids[right]) for left, right in merges)
    except KeyError as error:
        raise _refused(path, f"a merge names {str(error)[:40]}, which is none of its tokens") from None
    if made != sorted(made):
        raise _refused(path, "its merges are not in the order of its tokens")
    return Table("gpt2", pieces, tuple(kinds), (), pairs, pre=rule)


def _simple(rule: Any) -> Any:
    """A pre-tokenizer without what changes nothing of the tokens."""
    if not isinstance(rule, dict):
        return rule
    inner = rule.get("pretokenizers")
    if rule.get("type") == "Sequence" and isinstance(inner, list):
        return _simple(inner[0]) if len(inner) == 1 else [_simple(one) for one in inner]
    without = {name: value for name, value in rule.items() if name != "trim_offsets"}
    return {"use_regex": True, **without} if rule.get("type") == "ByteLevel" else without


def _refused(path: Path, why: str) -> InputError:
    return InputError(f"{path} cannot be used: {why}", f"{_CAN}; or {AGAIN}")
