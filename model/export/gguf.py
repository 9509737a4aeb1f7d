"""The C trainer's weights as GGUF: llama.cpp's architecture gpt2, tokens that are bytes."""

from __future__ import annotations

from model.export.container import ALIGNMENT, ARRAY, BOOL, F32, I32, STRING, U32, Entry, array, container, f32, key, u32
from model.export.container import string as text
from model.export.weights import Tensor, Weights

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
        key("general.architecture", STRING, text("gpt2")),
        key("general.name", STRING, text(name)),
        key("general.alignment", U32, u32(ALIGNMENT)),
        key("general.file_type", U32, u32(GGML_F32)),
        key("gpt2.context_length", U32, u32(c.context)),
        key("gpt2.embedding_length", U32, u32(c.width)),
        key("gpt2.feed_forward_length", U32, u32(c.hidden)),
        key("gpt2.block_count", U32, u32(c.layers)),
        key("gpt2.attention.head_count", U32, u32(c.heads)),
        key("gpt2.attention.layer_norm_epsilon", F32, f32(LAYER_NORM_EPSILON)),
        key("tokenizer.ggml.model", STRING, text("gpt2")),
        key("tokenizer.ggml.pre", STRING, text("gpt-2")),
        key("tokenizer.ggml.tokens", ARRAY, array(STRING, [text(token) for token in tokens])),
        key("tokenizer.ggml.token_type", ARRAY, array(I32, [u32(NORMAL)] * len(tokens))),
        key("tokenizer.ggml.merges", ARRAY, array(STRING, [])),  # llama.cpp wants it, even empty
        key("tokenizer.ggml.bos_token_id", U32, u32(ord("\n"))),
        key("tokenizer.ggml.eos_token_id", U32, u32(0)),
        key("tokenizer.ggml.add_bos_token", BOOL, b"\0"),
    ]
    entries = [Entry(tensor_name(tensor), tensor.shape, GGML_F32, tensor.data) for tensor in weights.tensors]
    return b"".join(container(keys, entries))


def tensor_name(tensor: Tensor) -> str:
    """llama.cpp's name for it."""
    return NAMES[tensor.name] if tensor.layer is None else f"blk.{tensor.layer}.{NAMES[tensor.name]}"
