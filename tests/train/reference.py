"""The trainer's model in numpy and float64, its batches and its files: written from the
documentation, not from the C code."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.validate.stream import Stream

Array = NDArray[np.float64]
LAYER = ("ln1_w", "ln1_b", "qkv_w", "qkv_b", "proj_w", "proj_b", "ln2_w", "ln2_b", "up_w", "up_b", "down_w", "down_b")


def shapes(vocab: int, context: int, layers: int, width: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Every tensor's name and shape, in the order of weights.bin."""
    layer = [(width,), (width,), (3 * width, width), (3 * width,), (width, width), (width,),
             (width,), (width,), (hidden, width), (hidden,), (width, hidden), (width,)]
    return {"token": (vocab, width), "position": (context, width),
            **{f"{i}.{name}": shape for i in range(layers) for name, shape in zip(LAYER, layer, strict=True)},
            "norm_w": (width,), "norm_b": (width,)}


def split(flat: NDArray[Any], names: dict[str, tuple[int, ...]]) -> dict[str, NDArray[Any]]:
    """One long array as tensors."""
    found, at = {}, 0
    for name, shape in names.items():
        found[name] = flat[at : at + math.prod(shape)].reshape(shape)
        at += math.prod(shape)
    assert at == flat.size
    return found


def read_weights(path: Path) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
    """The sizes and the tensors of weights.bin."""
    data = path.read_bytes()
    assert data[:8] == b"INGOTW1\0" and data[32:64] == bytes(32)
    sizes = dict(zip(("vocab", "context", "layers", "heads", "width", "hidden"), struct.unpack("<6I", data[8:32]),
                     strict=True))
    flat = np.frombuffer(data, "<f4", offset=64)
    return sizes, split(flat, shapes(*(sizes[k] for k in ("vocab", "context", "layers", "width", "hidden"))))


def norm(x: Array, w: Array, b: Array) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    return np.asarray(centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * w + b)


def losses(weights: dict[str, NDArray[Any]], sizes: dict[str, int], ids: NDArray[np.int64]) -> Array:
    """Cross entropy of each of ids[1:] given those before it; len(ids) - 1 <= context."""
    p = {name: tensor.astype(np.float64) for name, tensor in weights.items()}
    t, width, heads = len(ids) - 1, sizes["width"], sizes["heads"]
    x = p["token"][ids[:-1]] + p["position"][:t]
    for i in range(sizes["layers"]):
        w = {name: p[f"{i}.{name}"] for name in LAYER}
        qkv = norm(x, w["ln1_w"], w["ln1_b"]) @ w["qkv_w"].T + w["qkv_b"]
        q, k, v = (part.reshape(t, heads, -1).transpose(1, 0, 2) for part in np.split(qkv, 3, axis=1))
        score = q @ k.transpose(0, 2, 1) / math.sqrt(width // heads)
        score = np.where(np.tril(np.ones((t, t), bool)), score, -np.inf)
        share = np.exp(score - score.max(-1, keepdims=True))
        mixed = (share / share.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(t, width)
        x = x + mixed @ w["proj_w"].T + w["proj_b"]
        up = norm(x, w["ln2_w"], w["ln2_b"]) @ w["up_w"].T + w["up_b"]
        up = 0.5 * up * (1 + np.tanh(math.sqrt(2 / math.pi) * (up + 0.044715 * up**3)))
        x = x + up @ w["down_w"].T + w["down_b"]
    logits = norm(x, p["norm_w"], p["norm_b"]) @ p["token"].T
    top = logits.max(-1, keepdims=True)
    log_sum = top[:, 0] + np.log(np.exp(logits - top).sum(-1))
    return np.asarray(log_sum - logits[np.arange(t), ids[1:]])


def held_out_loss(weights: dict[str, NDArray[Any]], sizes: dict[str, int], ids: NDArray[np.int64]) -> float:
    """Over the whole split, in windows of the context's length."""
    step = sizes["context"]
    parts = [losses(weights, sizes, ids[i : i + step + 1]) for i in range(0, len(ids) - 1, step)]
    return float(np.concatenate(parts).mean())


def batch(ids: NDArray[np.int64], size: int, context: int, seed: int, step: int) -> NDArray[np.int64]:
    """The windows (size, context + 1) of one step."""
    stream = Stream(seed, 2, step)
    starts = [stream.below(len(ids) - context) for _ in range(size)]
    return np.stack([ids[start : start + context + 1] for start in starts])
