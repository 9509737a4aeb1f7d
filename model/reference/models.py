"""GPT-2 and Llama of the operations in tape.py, with the names of model/architectures' state dicts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from model.reference.tape import (
    Var,
    attention,
    embedding,
    gelu,
    layer_norm,
    linear,
    repeat,
    reshape,
    rms_norm,
    rotate,
    silu,
    transpose,
)
from model.shapes import GptShape, LlamaShape, Shape

Ids = NDArray[np.int64]


def logits(shape: Shape, weights: Mapping[str, Var], tokens: Ids) -> Var:
    """tokens (batch,time) -> (batch,time,vocab)"""
    return gpt(shape, weights, tokens) if isinstance(shape, GptShape) else llama(shape, weights, tokens)


def heads(x: Var, count: int) -> Var:
    """(batch,time,count*head) -> (batch,count,time,head)"""
    batch, time, width = x.shape
    return transpose(reshape(x, (batch, time, count, width // count)), (0, 2, 1, 3))


def together(x: Var) -> Var:
    """(batch,count,time,head) -> (batch,time,count*head)"""
    batch, count, time, head = x.shape
    return reshape(transpose(x, (0, 2, 1, 3)), (batch, time, count * head))


def gpt(shape: GptShape, weights: Mapping[str, Var], tokens: Ids) -> Var:
    """GPT-2, dropout off."""
    time = tokens.shape[1]
    x = embedding(weights["token.weight"], tokens) + embedding(weights["position.weight"], np.arange(time))
    for i in range(shape.layers):
        w = {name.removeprefix(f"layers.{i}."): value for name, value in weights.items()}
        normed = layer_norm(x, w["ln1.weight"], w["ln1.bias"])
        rows = np.split(np.arange(3 * shape.width), 3)  # of queries, keys and values in one matrix
        bias = w.get("qkv.bias")
        q, k, v = (heads(linear(normed, embedding(w["qkv.weight"], part), bias and embedding(bias, part)), shape.heads)
                   for part in rows)
        x = x + linear(together(attention(q, k, v)), w["proj.weight"], w["proj.bias"])
        normed = layer_norm(x, w["ln2.weight"], w["ln2.bias"])
        x = x + linear(gelu(linear(normed, w["up.weight"], w["up.bias"])), w["down.weight"], w["down.bias"])
    x = layer_norm(x, weights["norm.weight"], weights["norm.bias"])
    return linear(x, weights["token.weight" if shape.tied else "head.weight"])


def llama(shape: LlamaShape, weights: Mapping[str, Var], tokens: Ids) -> Var:
    """Llama."""
    time, head = tokens.shape[1], shape.head_width
    angle = np.outer(np.arange(time), shape.rope_theta ** (-np.arange(0, head, 2) / head))
    cosine, sine = np.cos(angle), np.sin(angle)
    groups = shape.heads // shape.kv_heads
    x = embedding(weights["token.weight"], tokens)
    for i in range(shape.layers):
        w = {name: weights[f"layers.{i}.{name}.weight"] for name in _LLAMA_LAYER}
        normed = rms_norm(x, w["norm1"], shape.eps)
        q = rotate(heads(linear(normed, w["q"]), shape.heads), cosine, sine)
        k = rotate(heads(linear(normed, w["k"]), shape.kv_heads), cosine, sine)
        v = heads(linear(normed, w["v"]), shape.kv_heads)
        mixed = attention(q, repeat(k, groups, axis=1), repeat(v, groups, axis=1))
        x = x + linear(together(mixed), w["proj"])
        normed = rms_norm(x, w["norm2"], shape.eps)
        x = x + linear(silu(linear(normed, w["gate"])) * linear(normed, w["up"]), w["down"])
    x = rms_norm(x, weights["norm.weight"], shape.eps)
    return linear(x, weights["token.weight" if shape.tied else "head.weight"])


_LLAMA_LAYER = ("norm1", "q", "k", "v", "proj", "norm2", "gate", "up", "down")
