"""Small random GPT-2 models: a GGUF writer, and the forward pass in numpy (float64) to compare with."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Shape:
    """A configuration."""

    context: int = 16
    layers: int = 2
    heads: int = 2
    width: int = 24
    hidden: int = 96
    vocab: int = 256


def random_tensors(shape: Shape, seed: int = 1, scale: float = 0.3) -> dict[str, Array]:
    """Every tensor of a model with a tied head, by llama.cpp's names, fp32."""
    w, h = shape.width, shape.hidden
    sizes: dict[str, tuple[int, ...]] = {"token_embd.weight": (shape.vocab, w),
                                         "position_embd.weight": (shape.context, w)}
    for layer in range(shape.layers):
        for name, size in {"attn_norm": (w,), "attn_qkv": (3 * w, w), "attn_output": (w, w), "ffn_norm": (w,),
                           "ffn_up": (h, w), "ffn_down": (w, h)}.items():
            sizes[f"blk.{layer}.{name}.weight"] = size
            sizes[f"blk.{layer}.{name}.bias"] = size[:1]
    sizes |= {"output_norm.weight": (w,), "output_norm.bias": (w,)}
    rng = np.random.default_rng(seed)
    tensors = {name: (rng.standard_normal(size) * scale).astype(np.float32) for name, size in sizes.items()}
    for name in tensors:
        if name.endswith("norm.weight"):
            tensors[name] = tensors[name] + np.float32(1)
    return tensors


def alphabet() -> list[str]:
    """GPT-2's bytes_to_unicode, as published."""
    kept = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    characters = {byte: chr(byte) for byte in kept}
    for byte in range(256):
        if byte not in characters:
            characters[byte] = chr(256 + len(characters) - len(kept))
    return [characters[byte] for byte in range(256)]


@dataclass(frozen=True)
class Key:
    """A metadata key; `item` is the type of an array's items."""

    name: str
    type: int
    value: Any
    item: int = STRING


def keys_of(shape: Shape) -> list[Key]:
    """The metadata of a byte-level model."""
    return [
        Key("general.architecture", STRING, "gpt2"),
        Key("general.name", STRING, "tiny"),
        Key("gpt2.context_length", U32, shape.context),
        Key("gpt2.embedding_length", U32, shape.width),
        Key("gpt2.block_count", U32, shape.layers),
        Key("gpt2.feed_forward_length", U32, shape.hidden),
        Key("gpt2.attention.head_count", U32, shape.heads),
        Key("gpt2.attention.layer_norm_epsilon", F32, 1e-5),
        Key("tokenizer.ggml.model", STRING, "gpt2"),
        Key("tokenizer.ggml.tokens", ARRAY, alphabet()),
        Key("tokenizer.ggml.merges", ARRAY, []),
        Key("tokenizer.ggml.bos_token_id", U32, 10),
        Key("tokenizer.ggml.eos_token_id", U32, 0),
    ]


def changed(keys: Iterable[Key], name: str, **change: Any) -> list[Key]:
    """The keys with one of them changed."""
    return [replace(key, **change) if key.name == name else key for key in keys]


def string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind: int, what: Any, item: int) -> bytes:
    """A metadata value."""
    if kind == STRING:
        return string(what)
    if kind == ARRAY:
        return struct.pack("<IQ", item, len(what)) + b"".join(value(item, one, item) for one in what)
    return struct.pack("<" + {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?",
                              U64: "Q", I64: "q", F64: "d"}[kind], what)


@dataclass(frozen=True)
class Typed:
    """A tensor that is not F32: ggml's number for its type, its shape, and its bytes as they lie in a file."""

    type: int
    shape: tuple[int, ...]
    data: bytes


class Writer:
    """A GGUF file; `marks` names where each field starts: (offset, size, name)."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.marks: list[tuple[int, int, str]] = []

    def put(self, name: str, data: bytes) -> None:
        self.marks.append((len(self.data), len(data), name))
        self.data += data


def write(keys: Sequence[Key], tensors: Mapping[str, Array | Typed], version: int = 3, alignment: int = 32,
          offsets: dict[str, int] | None = None) -> Writer:
    """The file; `offsets` puts tensors elsewhere than one after the other."""
    w = Writer()
    w.put("magic", b"GGUF")
    w.put("version", struct.pack("<I", version))
    w.put("tensors", struct.pack("<Q", len(tensors)))
    w.put("keys", struct.pack("<Q", len(keys)))
    for key in keys:
        w.put(f"{key.name} length", struct.pack("<Q", len(key.name.encode())))
        w.put(f"{key.name} name", key.name.encode())
        w.put(f"{key.name} type", struct.pack("<I", key.type))
        data = value(key.type, key.value, key.item)
        if key.type == ARRAY:
            w.put(f"{key.name} item", data[:4])
            w.put(f"{key.name} count", data[4:12])
            data = data[12:]
        w.put(f"{key.name} value", data)
    body = bytearray()
    for name, tensor in tensors.items():
        body += bytes(-len(body) % alignment)
        w.put(f"{name} length", struct.pack("<Q", len(name)))
        w.put(f"{name} name", name.encode())
        w.put(f"{name} dims", struct.pack("<I", len(tensor.shape)))
        for size in reversed(tensor.shape):
            w.put(f"{name} size", struct.pack("<Q", size))
        w.put(f"{name} type", struct.pack("<I", tensor.type if isinstance(tensor, Typed) else 0))
        w.put(f"{name} offset", struct.pack("<Q", (offsets or {}).get(name, len(body))))
        body += tensor.data if isinstance(tensor, Typed) else tensor.tobytes()
    w.put("padding", bytes(-len(w.data) % alignment))
    w.put("data", bytes(body))
    return w


def model_bytes(shape: Shape, tensors: dict[str, Array]) -> bytes:
    return bytes(write(keys_of(shape), tensors).data)


def logits(shape: Shape, tensors: dict[str, Array], tokens: Sequence[int]) -> Array:
    """The logits after each token (len(tokens), vocab), float64; len(tokens) <= context."""
    t = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    n, hw = len(tokens), shape.width // shape.heads

    def norm(x: Array, name: str) -> Array:
        mean = x.mean(-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(-1, keepdims=True)
        out: Array = (x - mean) / np.sqrt(variance + 1e-5) * t[f"{name}.weight"] + t[f"{name}.bias"]
        return out

    def linear(x: Array, name: str) -> Array:
        out: Array = x @ t[f"{name}.weight"].T + t[f"{name}.bias"]
        return out

    x = t["token_embd.weight"][list(tokens)] + t["position_embd.weight"][:n]
    mask = np.triu(np.full((n, n), -np.inf), 1)
    for layer in range(shape.layers):
        b = f"blk.{layer}"
        q, k, v = (part.reshape(n, shape.heads, hw).transpose(1, 0, 2)
                   for part in np.split(linear(norm(x, f"{b}.attn_norm"), f"{b}.attn_qkv"), 3, axis=-1))
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(hw) + mask
        p = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (p / p.sum(-1, keepdims=True)) @ v
        x = x + linear(mixed.transpose(1, 0, 2).reshape(n, shape.width), f"{b}.attn_output")
        u = linear(norm(x, f"{b}.ffn_norm"), f"{b}.ffn_up")
        u = 0.5 * u * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3)))
        x = x + linear(u, f"{b}.ffn_down")
    head = t.get("output.weight", t["token_embd.weight"])
    out: Array = norm(x, "output_norm") @ head.T
    return out


def sliding_logits(shape: Shape, tensors: dict[str, Array], tokens: Sequence[int]) -> Array:
    """As `logits`, of any number of tokens: the older half goes when the context is full."""
    rows: list[Array] = []
    start = 0
    for end in range(1, len(tokens) + 1):
        if end - start > shape.context:
            start = end - 1 - shape.context // 2
        rows.append(logits(shape, tensors, tokens[start:end])[-1])
    return np.array(rows)
