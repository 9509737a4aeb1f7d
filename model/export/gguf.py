"""GGUF version 3, as llama.cpp reads it (format: docs/gguf.md of ggml; names: its gpt2 architecture).

All is little-endian: "GGUF", u32 version, u64 tensors, u64 keys; each key: string, u32 type, value;
each tensor: string, u32 dimensions, u64 for each of them (fastest first), u32 type, u64 offset; then
the data, every tensor at a multiple of 32 bytes. A string is its u64 length and its UTF-8 bytes. The
same model gives the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from model.export.weights import Tensor, Weights

VERSION = 3
ALIGNMENT = 32
U32, F32, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5  # types of values
GGML_F32 = 0  # type of tensors, and of the file
NORMAL = 1  # type of tokens
LAYER_NORM_EPSILON = 1e-5

NAMES = {
    "token": "token_embd.weight",
    "position": "position_embd.weight",
    "ln1_w": "attn_norm.weight",
    "ln1_b": "attn_norm.bias",
    "qkv_w": "attn_qkv.weight",
    "qkv_b": "attn_qkv.bias",
    "proj_w": "attn_output.weight",
    "proj_b": "attn_output.bias",
    "ln2_w": "ffn_norm.weight",
    "ln2_b": "ffn_norm.bias",
    "up_w": "ffn_up.weight",
    "up_b": "ffn_up.bias",
    "down_w": "ffn_down.weight",
    "down_b": "ffn_down.bias",
    "norm_w": "output_norm.weight",
    "norm_b": "output_norm.bias",
}


def byte_alphabet() -> list[str]:
    """GPT-2's character for each byte: itself where it is printable Latin-1, else one from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def gguf(weights: Weights, name: str) -> bytes:
    """The whole file, for a model whose tokens are bytes."""
    c = weights.config
    tokens = byte_alphabet()
    keys = [
        _key("general.architecture", STRING, _string("gpt2")),
        _key("general.name", STRING, _string(name)),
        _key("general.alignment", U32, _u32(ALIGNMENT)),
        _key("general.file_type", U32, _u32(GGML_F32)),
        _key("gpt2.context_length", U32, _u32(c.context)),
        _key("gpt2.embedding_length", U32, _u32(c.width)),
        _key("gpt2.feed_forward_length", U32, _u32(c.hidden)),
        _key("gpt2.block_count", U32, _u32(c.layers)),
        _key("gpt2.attention.head_count", U32, _u32(c.heads)),
        _key("gpt2.attention.layer_norm_epsilon", F32, struct.pack("<f", LAYER_NORM_EPSILON)),
        _key("tokenizer.ggml.model", STRING, _string("gpt2")),
        _key("tokenizer.ggml.pre", STRING, _string("gpt-2")),
        _key("tokenizer.ggml.tokens", ARRAY, _array(STRING, [_string(token) for token in tokens])),
        _key("tokenizer.ggml.token_type", ARRAY, _array(I32, [_u32(NORMAL)] * len(tokens))),
        _key("tokenizer.ggml.merges", ARRAY, _array(STRING, [])),  # llama.cpp wants it, even empty
        _key("tokenizer.ggml.bos_token_id", U32, _u32(ord("\n"))),
        _key("tokenizer.ggml.eos_token_id", U32, _u32(0)),
        _key("tokenizer.ggml.add_bos_token", BOOL, b"\0"),
    ]
    infos, data = [], bytearray()
    for tensor in weights.tensors:
        infos.append(_info(tensor, offset=len(data)))
        data += _padded(tensor.data)
    head = b"GGUF" + _u32(VERSION) + _u64(len(infos)) + _u64(len(keys)) + b"".join(keys) + b"".join(infos)
    return _padded(head) + bytes(data)


def tensor_name(tensor: Tensor) -> str:
    """llama.cpp's name for it."""
    return NAMES[tensor.name] if tensor.layer is None else f"blk.{tensor.layer}.{NAMES[tensor.name]}"


def _info(tensor: Tensor, offset: int) -> bytes:
    shape = b"".join(_u64(n) for n in reversed(tensor.shape))
    return _string(tensor_name(tensor)) + _u32(len(tensor.shape)) + shape + _u32(GGML_F32) + _u64(offset)


def _key(key: str, kind: int, value: bytes) -> bytes:
    return _string(key) + _u32(kind) + value


def _array(kind: int, items: Sequence[bytes]) -> bytes:
    return _u32(kind) + _u64(len(items)) + b"".join(items)


def _string(text: str) -> bytes:
    data = text.encode()
    return _u64(len(data)) + data


def _u32(value: int) -> bytes:
    return struct.pack("<I", value)


def _u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)
