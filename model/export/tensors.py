"""The tensors of a model by llama.cpp's names, in the order of its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from model.export.packing import Array
from model.shapes import GptShape, LlamaShape, Shape

GPT_LAYER = {"ln1": "attn_norm", "qkv": "attn_qkv", "proj": "attn_output", "ln2": "ffn_norm", "up": "ffn_up",
             "down": "ffn_down"}
LLAMA_LAYER = {"norm1": "attn_norm", "q": "attn_q", "k": "attn_k", "v": "attn_v", "proj": "attn_output",
               "norm2": "ffn_norm", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down"}


def tensors(shape: Shape, weights: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """`weights` by the names of the state dict (model/architectures); a head that is tied is left out."""
    return _gpt(shape, weights) if isinstance(shape, GptShape) else _llama(shape, weights)


def _gpt(shape: GptShape, weights: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    yield "token_embd.weight", weights["token.weight"]
    yield "position_embd.weight", weights["position.weight"]
    for i in range(shape.layers):
        for name, there in GPT_LAYER.items():
            for part in ("weight", "bias"):
                if (name, part) == ("qkv", "bias") and not shape.qkv_bias:  # llama.cpp's gpt2 has one
                    yield f"blk.{i}.{there}.bias", np.zeros(3 * shape.width, np.float32)
                else:
                    yield f"blk.{i}.{there}.{part}", weights[f"layers.{i}.{name}.{part}"]
    yield "output_norm.weight", weights["norm.weight"]
    yield "output_norm.bias", weights["norm.bias"]
    if not shape.tied:
        yield "output.weight", weights["head.weight"]


def _llama(shape: LlamaShape, weights: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    yield "token_embd.weight", weights["token.weight"]
    for i in range(shape.layers):
        for name, there in LLAMA_LAYER.items():
            yield f"blk.{i}.{there}.weight", weights[f"layers.{i}.{name}.weight"]
    yield "output_norm.weight", weights["norm.weight"]
    if not shape.tied:
        yield "output.weight", weights["head.weight"]
