"""Damaged model files, each with the words that the engine refuses it with: cut at each structure, counts and offsets
at their worst, overlapping tensors, wrong types and shapes, huge strings, merges that name nothing."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tests.engine import llamas, models
from tests.engine.models import ARRAY, I32, STRING, U32, Array, Key, Typed
from tests.engine.test_tokenizer_damaged import GPT2, SPM, item
from tests.engine.tokenizers import CONTROL, NORMAL, OWN

SHAPE = llamas.Shape(context=4, layers=1, heads=2, kv_heads=1, width=32, hidden=32)
KEYS = llamas.keys_of(SHAPE)
TENSORS = llamas.stored(llamas.random_tensors(SHAPE), {"attn_q": "Q8_0", "attn_k": "F16", "ffn_down": "Q4_0"})
GOOD = models.write(KEYS, TENSORS)
PLAIN = replace(SHAPE, vocab=259, width=8, hidden=8)
TOKENIZER = llamas.tokenizer_bin()
V0 = llamas.v0(PLAIN, llamas.random_tensors(PLAIN))
V2 = llamas.v2(PLAIN, llamas.random_tensors(PLAIN), 8)[0]
WORST = (2**31, 2**63, 2**64 - 1)
NOTHING = "neither a GGUF nor a llama2.c file: too short"


@dataclass(frozen=True)
class Damaged:
    """`what` was done to a file, and what the engine says to it: `words`, or a text that begins with them."""

    what: str
    model: bytes
    words: str
    tokenizer: bytes | None = None

    @property
    def suffix(self) -> str:
        """As such files are named."""
        return "gguf" if self.tokenizer is None else "bin"


def patched(at: int, data: bytes, good: bytes = bytes(GOOD.data)) -> bytes:
    return good[:at] + data + good[at + len(data):]


def field(name: str, number: int, which: int = 0) -> bytes:
    """The good GGUF with one number overwritten."""
    at, size, _ = [mark for mark in GOOD.marks if mark[2] == name][which]
    return patched(at, (number % 2 ** (8 * size)).to_bytes(size, "little"))


def written(keys: Sequence[Key] = KEYS, /, **tensors: Array | Typed | None) -> bytes:
    """A GGUF with other keys, or with tensors changed or left out."""
    named = {**TENSORS, **{name.replace("__", "."): tensor for name, tensor in tensors.items()}}
    return bytes(models.write(keys, {name: t for name, t in named.items() if t is not None}).data)


def key(name: str, **change: Any) -> bytes:
    return written(models.changed(KEYS, name, **change))


# -- GGUF --


def cut_gguf() -> Iterator[Damaged]:
    """Behind the first byte of each structure."""
    for at, size, name in GOOD.marks:
        subject, _, part = name.rpartition(" ")
        if size == 0 or name in ("padding", "data"):
            continue
        if at < 4:
            words = NOTHING
        elif name in ("version", "tensors", "keys"):
            words = "the file ends inside its header"
        elif part in ("length", "name"):
            words = f"the file ends inside the name of a {'tensor' if subject in TENSORS else 'key'}"
        elif subject in TENSORS:
            words = f"the file ends inside the tensor: {subject}"
        else:
            words = f"the file ends inside the value of the key: {subject}"
        yield Damaged(f"cut at {at + size - 1}, inside {name}", bytes(GOOD.data[:at + size - 1]), words)
    data = next(at for at, _, name in GOOD.marks if name == "data")
    for tensor in TENSORS:
        at, _, _ = next(mark for mark in GOOD.marks if mark[2] == f"{tensor} offset")
        start = data + struct.unpack_from("<Q", GOOD.data, at)[0]
        yield Damaged(f"cut inside the data of {tensor}", bytes(GOOD.data[:start + 1]),
                      f"the file ends before the data of the tensor: {tensor}")


def numbers_gguf() -> Iterator[Damaged]:
    """Counts, lengths, offsets at their worst."""
    yield Damaged("version = 0", field("version", 0), "GGUF version 0; this engine reads versions 2 and 3")
    yield Damaged("version = 1", field("version", 1), "GGUF version 1; this engine reads versions 2 and 3")
    yield Damaged("big-endian", patched(4, struct.pack(">I", 3)), "a big-endian GGUF file")
    yield Damaged("version = -1", field("version", -1), "GGUF version 4294967295; this engine reads versions 2 and 3")
    yield Damaged("no keys", bytes(models.write([], TENSORS).data), "a key is missing: general.architecture")
    yield Damaged("no tensors", bytes(models.write(KEYS, {}).data), "a tensor is missing: token_embd.weight")
    for number in WORST:
        yield Damaged(f"keys = {number}", field("keys", number), "more than 512 keys")
        yield Damaged(f"tensors = {number}", field("tensors", number), "more than 4096 tensors")
        for name in ("general.architecture", "llama.block_count"):
            yield Damaged(f"length of the name {name} = {number}", field(f"{name} length", number),
                          "the file ends inside the name of a key")
        for name in ("general.architecture", "general.name", "tokenizer.ggml.model"):
            yield Damaged(f"length of {name} = {number}", field(f"{name} value", number),
                          f"the file ends inside the value of the key: {name}")
        yield Damaged(f"count of tokens = {number}", field("tokenizer.ggml.tokens count", number),
                      "the file ends inside the value of the key: tokenizer.ggml.tokens")
        yield Damaged(f"length of a tensor's name = {number}", field("token_embd.weight length", number),
                      "the file ends inside the name of a tensor")
        yield Damaged(f"dims = {number}", field("token_embd.weight dims", number),
                      "a tensor that has not 1 to 4 dimensions: token_embd.weight")
    for name in ("general.architecture", "tokenizer.ggml.bos_token_id"):
        for kind in (13, 2**31, 2**32 - 1):
            yield Damaged(f"type of {name} = {kind}", field(f"{name} type", kind),
                          f"a value type that does not exist, of the key: {name}")
    for kind in (13, 2**31, 2**32 - 1):
        yield Damaged(f"type of the tokens = {kind}", field("tokenizer.ggml.tokens item", kind),
                      "an item type that does not exist, of the key: tokenizer.ggml.tokens")
    yield Damaged("tokens that are lists", field("tokenizer.ggml.tokens item", ARRAY),
                  "an array of arrays, of the key: tokenizer.ggml.tokens")
    yield Damaged("a key without a name", written([*KEYS, Key("", U32, 1)]), "a key without a name")
    yield Damaged("a huge name of a key", written([*KEYS, Key("k" * 257, U32, 1)]),
                  f"the name of a key is too long: {'k' * 64}")
    yield Damaged("a key twice", written([*KEYS, KEYS[3]]), f"a key that is there twice: {KEYS[3].name}")
    for number in (0, 1, 3, 24, 2**21, 2**31):
        yield Damaged(f"alignment = {number}", written([*KEYS, Key("general.alignment", U32, number)]),
                      "general.alignment is no power of two from 4 to 1048576")


def tensors_gguf() -> Iterator[Damaged]:
    """Tensors of a wrong place, type, shape or name."""
    names = list(TENSORS)
    for before, name in zip(names, names[1:], strict=False):
        at, size, _ = next(mark for mark in GOOD.marks if mark[2] == f"{before} offset")
        other = int.from_bytes(GOOD.data[at:at + size], "little")
        yield Damaged(f"{name} over {before}", field(f"{name} offset", other),
                      f"a tensor that overlaps the one before it: {name}")
    for name in names:
        if name != "output.weight":  # a head that is not there is a tied one
            yield Damaged(f"{name} missing", written(**{name.replace(".", "__"): None}), f"a tensor is missing: {name}")
        yield Damaged(f"{name} of an unknown type", field(f"{name} type", 3),
                      f"a tensor that is not F32, F16, Q8_0 or Q4_0: {name}")
        yield Damaged(f"{name} of 5 dims", field(f"{name} dims", 5), "a tensor that has not 1 to 4 dimensions")
        for number in (0, 2**63, 2**64 - 1):
            yield Damaged(f"a size of {name} = {number}", field(f"{name} size", number),
                          "a tensor with a size that cannot be: " if number % 32 == 0 else "a tensor w")
    for number, words in ((1, "that is not aligned"), (2**31, None), (2**63, None), (2**64 - 1, "that is not aligned")):
        yield Damaged(f"offset = {number}", field("output.weight offset", number),
                      f"a tensor {words}: output.weight" if words
                      else "the file ends before the data of the tensor: output.weight")
    at = next(at for at, _, name in GOOD.marks if name == "blk.0.attn_k.weight name")
    yield Damaged("a tensor twice", patched(at, b"blk.0.attn_v.weight"),
                  "a tensor that is there twice: blk.0.attn_v.weight")
    yield Damaged("a huge name of a tensor", written(**{"t" * 65: np.zeros(1, np.float32)}),
                  f"the name of a tensor is too long: {'t' * 64}")
    yield Damaged("a tensor too many", written(extra=np.zeros(3, np.float32)),
                  "tensors that the architecture llama does not have")
    yield Damaged("a vector in F16", written(output_norm__weight=Typed(1, (32,), bytes(64))),
                  "a vector that is not F32: output_norm.weight")
    yield Damaged("rows that are no blocks", written(output__weight=Typed(8, (256, 8), bytes(2176))),
                  "a tensor whose rows are no whole number of blocks: output.weight")
    for name in ("blk.0.attn_k.weight", "blk.0.ffn_up.weight", "output_norm.weight", "token_embd.weight"):
        yield Damaged(f"{name} of another shape", written(**{name.replace(".", "__"): np.zeros((5, 7), np.float32)}),
                      "a tensor of the wrong shape, not (")


def keys_gguf() -> Iterator[Damaged]:
    """Keys that are missing, of the wrong type, or beyond what can be."""
    for name in ("context_length", "embedding_length", "block_count", "feed_forward_length", "attention.head_count",
                 "attention.layer_norm_rms_epsilon"):
        full = f"llama.{name}"
        yield Damaged(f"{full} missing", written([one for one in KEYS if one.name != full]),
                      f"a key is missing: {full}")
        yield Damaged(f"{full} a text", key(full, type=STRING, value="1"), f"a key of the wrong type: {full}")
        if name.endswith("epsilon"):
            for number in (0.0, -1.0, float("nan"), float("inf")):
                yield Damaged(f"{full} = {number}", key(full, value=number), f"{full} is not between 0 and 1")
            continue
        yield Damaged(f"{full} = 0", key(full, value=0), f"{full} is 0; this engine runs 1 to ")
        yield Damaged(f"{full} = -1", key(full, type=I32, value=-1),
                      f"a negative or too large number, of the key: {full}")
        yield Damaged(f"{full} = 2^63", key(full, type=models.U64, value=2**63),
                      f"a negative or too large number, of the key: {full}")
        yield Damaged(f"{full} = 2^31", key(full, value=2**31), f"{full} is 2147483648; this engine runs 1 to ")
    yield Damaged("another architecture", key("general.architecture", value="mamba\x1b[2J"),
                  "an architecture that is neither llama nor gpt2: mamba?[2J")
    yield Damaged("no architecture", key("general.architecture", type=U32, value=1),
                  "a key of the wrong type: general.architecture")
    yield Damaged("heads that do not divide", key("llama.attention.head_count", value=5),
                  "the head count does not divide: llama.embedding_length")
    yield Damaged("kv heads that do not divide", key("llama.attention.head_count_kv", value=3),
                  "llama.attention.head_count_kv is 3; this engine runs 1 to 2")
    yield Damaged("more layers than there are", key("llama.block_count", value=2),
                  "a tensor is missing: blk.1.attn_norm.weight")
    yield Damaged("experts", written([*KEYS, Key("llama.expert_count", U32, 8)]), "a mixture of experts")
    yield Damaged("scaled positions", written([*KEYS, Key("llama.rope.scaling.type", STRING, "yarn")]),
                  "rotary positions scaled by the rule: yarn")
    for number in (0.0, float("nan"), float("-inf")):
        yield Damaged(f"theta = {number}", key("llama.rope.freq_base", value=number),
                      "llama.rope.freq_base is not between 1 and 999999995904")


def tokenizers_gguf() -> Iterator[Damaged]:
    """The same model with a tokenizer that cannot be."""

    def of(keys: Sequence[Key]) -> bytes:
        return written([*(one for one in KEYS if not one.name.startswith("tokenizer.")), *keys])

    def spm(name: str, **change: Any) -> bytes:
        return of(models.changed(SPM, f"tokenizer.ggml.{name}", **change))

    def gpt2(name: str, **change: Any) -> bytes:
        return of(models.changed(GPT2, f"tokenizer.ggml.{name}", **change))

    nan = float("nan")
    yield Damaged("no tokenizer", of([]), "a key is missing: tokenizer.ggml.model")
    yield Damaged("another tokenizer", spm("model", value="bert"), "a tokenizer that is not llama or gpt2: bert")
    yield Damaged("no tokens", spm("tokens", value=[]), "an empty list: tokenizer.ggml.tokens")
    yield Damaged("tokens that are numbers", spm("tokens", value=[1], item=U32), "a missing key, or no list of strings")
    yield Damaged("a long token", spm("tokens", value=item(SPM, "tokens", 260, "x" * 4097)),
                  f"a token of more than 4096 bytes: {'x' * 64}")
    yield Damaged("a megabyte of one token", spm("tokens", value=item(SPM, "tokens", 260, "y" * 2**20)),
                  f"a token of more than 4096 bytes: {'y' * 64}")
    yield Damaged("a token's text twice", spm("tokens", value=item(SPM, "tokens", 261, "a")),
                  "a token that is there twice: a")
    yield Damaged("no byte 1", spm("token_type", value=item(SPM, "token_type", 4, NORMAL)),
                  "a vocabulary without a token for the byte 1")
    yield Damaged("a byte that is none", spm("tokens", value=item(SPM, "tokens", 4, "x")),
                  "a byte token that is no <0xHH>: x")
    for number in (7, -1, 2**31 - 1):
        yield Damaged(f"a token's type = {number}", spm("token_type", value=item(SPM, "token_type", 260, number)),
                      "a token of a type that does not exist: a")
    yield Damaged("too few types", spm("token_type", value=[1]), "not as many items as there are tokens")
    yield Damaged("scores that are texts", spm("scores", item=STRING, value=["0"] * 264), "a key of the wrong type")
    yield Damaged("no scores", of([one for one in SPM if one.name != "tokenizer.ggml.scores"]),
                  "a key is missing: tokenizer.ggml.scores")
    yield Damaged("a score that is no number", spm("scores", value=item(SPM, "scores", 260, nan)),
                  "a token whose score is no finite number: a")
    yield Damaged("bos beyond the tokens", spm("bos_token_id", value=2**31), "a token beyond the vocabulary")
    yield Damaged("a huge user-defined token", spm("tokens", value=item(SPM, "tokens", 263, "x" * 256)),
                  "a user-defined token of more than 255 bytes")
    for text in ("b a", "ab x", "zz z", "<|end| >"):
        yield Damaged(f"a merge of {text}", gpt2("merges", value=["a b", text]), f"a merge that names no token: {text}")
    for text in ("ab", "", " ", "a ", " b", "a b c"):
        yield Damaged(f"a merge {text!r}", gpt2("merges", value=[text]), "a merge that is not two tokens: ")
    yield Damaged("a huge merge", gpt2("merges", value=["a" * 100_000 + " b"]),
                  f"a merge that is not two tokens: {'a' * 64}")
    yield Damaged("merges that are numbers", gpt2("merges", value=[1], item=U32),
                  "a key of the wrong type: tokenizer.ggml.merges")
    yield Damaged("no merges", gpt2("merges", value=[]), "no merges, and a token that is not one byte: ab")
    yield Damaged("another alphabet", gpt2("tokens", value=item(GPT2, "tokens", 256, "a b")),
                  "a token outside the alphabet of bytes: a b")
    yield Damaged("a byte that is special", gpt2("token_type", value=item(GPT2, "token_type", 97, CONTROL)),
                  "a vocabulary without a token for the byte 97")
    yield Damaged("a pre-tokenizer", gpt2("pre", value="deepseek-llm"), "a pre-tokenizer that this engine has not")
    yield Damaged("an empty own token's type", gpt2("token_type", value=item(GPT2, "token_type", 256, OWN + 5)),
                  "a token of a type that does not exist: ab")
    yield Damaged("another vocabulary than the weights", of(GPT2), "a tensor of the wrong shape, not (260,32)")


# -- llama2.c --


def cut_llama2c() -> Iterator[Damaged]:
    for kind, good in (("v0", V0), ("v2", V2)):
        first = next(at for at, _, name in good.marks if name in ("token_embd", "attn_norm"))
        for at, size, name in good.marks:
            if size == 0:
                continue
            if at + size <= first:
                words = NOTHING if kind == "v0" or at < 8 and at + size - 1 < 8 else "the file ends inside its header"
            else:
                words = "the file ends inside: "
            yield Damaged(f"{kind} cut inside {name}", good.data[:at + size - 1], words, TOKENIZER)
        yield Damaged(f"{kind} and a byte more", good.data + b"\0", "bytes after the last tensor", TOKENIZER)


def numbers_llama2c() -> Iterator[Damaged]:
    said = {"width": "width", "hidden": "hidden width", "layers": "layers", "heads": "heads", "kv_heads": "kv heads",
            "vocab": "vocabulary", "context": "context"}
    for kind, good in (("v0", V0), ("v2", V2)):
        for name, shown in said.items():
            at = next(at for at, _, mark in good.marks if mark == name)
            for number in (0, 2**31 - 1, 2**31, 2**32 - 1):
                told = (-number) % 2**32 if name == "vocab" and number >> 31 else number
                if told == 1:
                    continue  # a vocabulary of one, and an untied head
                yield Damaged(f"{kind} {name} = {number}", patched(at, struct.pack("<I", number), good.data),
                              f"no GGUF file, and no llama2.c file: its {shown} would be {told}", TOKENIZER)
    for number in (0, 3, 2**31, 2**32 - 1):
        at = next(at for at, _, mark in V2.marks if mark == "group")
        yield Damaged(f"v2 group = {number}", patched(at, struct.pack("<I", number), V2.data),
                      f"no GGUF file, and no llama2.c file: its group would be {number}", TOKENIZER)
    for number in (0, 1, 3, 2**31):
        yield Damaged(f"v2 version = {number}", patched(4, struct.pack("<I", number), V2.data),
                      f"a llama2.c file of version {number}; this engine reads versions 0 and 2", TOKENIZER)


def tokenizers_llama2c() -> Iterator[Damaged]:
    piece = 4 + 8 + len("<unk>")  # where token 1 begins

    def of(what: str, tokenizer: bytes, words: str) -> Damaged:
        return Damaged(what, V0.data, words, tokenizer)

    for size in (1, 3):
        yield of(f"tokenizer cut at {size}", TOKENIZER[:size], "tokenizer.bin ends inside its header")
    yield of("tokenizer cut before token 0", TOKENIZER[:4], "tokenizer.bin ends before its token 0")
    yield of("tokenizer cut inside token 1", TOKENIZER[:piece + 9], "tokenizer.bin ends inside its token 1")
    yield of("tokenizer cut before token 1", TOKENIZER[:piece + 7], "tokenizer.bin ends before its token 1")
    yield of("tokenizer cut at its end", TOKENIZER[:-1], "tokenizer.bin ends inside its token 258")
    yield of("tokenizer and a byte more", TOKENIZER + b"\0", "tokenizer.bin has more tokens than the model: 259")
    for number in (0, 4097, 2**31, 2**32 - 1):
        yield of(f"the longest token = {number}", struct.pack("<I", number) + TOKENIZER[4:],
                 "tokenizer.bin: its longest token has not 1 to 4096 bytes")
    for number in (0, 8, 2**31, 2**32 - 1):
        yield of(f"length of token 1 = {number}", patched(piece + 4, struct.pack("<I", number), TOKENIZER),
                 "tokenizer.bin: empty, or longer than its longest token, is token 1")
    for score in (float("nan"), float("inf")):
        yield of(f"score of token 1 = {score}", patched(piece, struct.pack("<f", score), TOKENIZER),
                 "tokenizer.bin: no finite number is the score of token 1")
    yield of("another byte", TOKENIZER.replace(b"<0x07>", b"<0x08>"),
             "tokenizer.bin: not the byte <0xHH> it stands for is token 10")


def every() -> list[Damaged]:
    """All of them, each of another name and content."""
    parts = (cut_gguf, numbers_gguf, tensors_gguf, keys_gguf, tokenizers_gguf, cut_llama2c, numbers_llama2c,
             tokenizers_llama2c)
    return [one for part in parts for one in part()]


# One a subject, for where each costs time.
FEW = ("version = 0", "count of tokens = 2147483648", "cut inside the data of output.weight",
       f"keys = {2**63}", f"tensors = {2**64 - 1}", "blk.0.attn_q.weight over blk.0.attn_norm.weight",
       "output.weight of an unknown type", "llama.block_count = -1", "a megabyte of one token", "a merge of zz z",
       "v0 cut inside attn_q", f"v2 layers = {2**31}", "the longest token = 4097")


def few() -> list[Damaged]:
    return [one for one in every() if one.what in FEW]
