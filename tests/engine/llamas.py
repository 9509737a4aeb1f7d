"""Small random Llama models: GGUF and llama2.c files, and the forward pass in numpy (float64) to compare with."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gguf
import numpy as np

from tests.engine import models
from tests.engine.models import ARRAY, F32, STRING, U32, Array, Key, Typed

QUANTS = {"F32": gguf.GGMLQuantizationType.F32, "F16": gguf.GGMLQuantizationType.F16,
          "Q8_0": gguf.GGMLQuantizationType.Q8_0, "Q4_0": gguf.GGMLQuantizationType.Q4_0}


@dataclass(frozen=True)
class Shape:
    """A configuration; `head_width` 0: width / heads."""

    context: int = 24
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    width: int = 64
    hidden: int = 96
    vocab: int = 256
    theta: float = 10000.0
    head_width: int = 0
    eps: float = 1e-5

    @property
    def hw(self) -> int:
        return self.head_width or self.width // self.heads


def random_tensors(shape: Shape, seed: int = 1, tied: bool = False, scale: float = 0.2) -> dict[str, Array]:
    """Every tensor, by llama.cpp's names, fp32."""
    w, h, wide, narrow = shape.width, shape.hidden, shape.heads * shape.hw, shape.kv_heads * shape.hw
    sizes: dict[str, tuple[int, ...]] = {"token_embd.weight": (shape.vocab, w)}
    for layer in range(shape.layers):
        for name, size in {"attn_norm": (w,), "attn_q": (wide, w), "attn_k": (narrow, w), "attn_v": (narrow, w),
                           "attn_output": (w, wide), "ffn_norm": (w,), "ffn_gate": (h, w), "ffn_up": (h, w),
                           "ffn_down": (w, h)}.items():
            sizes[f"blk.{layer}.{name}.weight"] = size
    sizes["output_norm.weight"] = (w,)
    if not tied:
        sizes["output.weight"] = (shape.vocab, w)
    rng = np.random.default_rng(seed)
    tensors = {name: (rng.standard_normal(size) * scale).astype(np.float32) for name, size in sizes.items()}
    for name in tensors:
        if name.endswith("norm.weight"):
            tensors[name] = tensors[name] + np.float32(1)
    return tensors


def keys_of(shape: Shape) -> list[Key]:
    """The metadata of a byte-level model."""
    return [
        Key("general.architecture", STRING, "llama"),
        Key("general.name", STRING, "small"),
        Key("llama.context_length", U32, shape.context),
        Key("llama.embedding_length", U32, shape.width),
        Key("llama.block_count", U32, shape.layers),
        Key("llama.feed_forward_length", U32, shape.hidden),
        Key("llama.attention.head_count", U32, shape.heads),
        Key("llama.attention.head_count_kv", U32, shape.kv_heads),
        Key("llama.attention.layer_norm_rms_epsilon", F32, shape.eps),
        Key("llama.rope.freq_base", F32, shape.theta),
        Key("llama.rope.dimension_count", U32, shape.hw),
        *([Key("llama.attention.key_length", U32, shape.hw), Key("llama.attention.value_length", U32, shape.hw)]
          if shape.head_width else []),
        Key("tokenizer.ggml.model", STRING, "gpt2"),
        Key("tokenizer.ggml.tokens", ARRAY, models.alphabet()),
        Key("tokenizer.ggml.merges", ARRAY, []),
        Key("tokenizer.ggml.bos_token_id", U32, 10),
        Key("tokenizer.ggml.eos_token_id", U32, 0),
    ]


def is_matrix(name: str, tensor: Array) -> bool:
    return tensor.ndim == 2 and "norm" not in name


def stored(tensors: dict[str, Array], types: dict[str, str] | str) -> dict[str, Array | Typed]:
    """The matrices in their types: one for all, or by name ("attn_q": "Q8_0"; others F32)."""
    out: dict[str, Array | Typed] = {}
    for name, tensor in tensors.items():
        kind = types if isinstance(types, str) else types.get(name.split(".")[-2], "F32")
        if not is_matrix(name, tensor) or kind == "F32":
            out[name] = tensor
        else:
            data = gguf.quants.quantize(tensor, QUANTS[kind])
            out[name] = Typed(int(QUANTS[kind]), tensor.shape, data.tobytes())
    return out


def restored(tensors: dict[str, Array], types: dict[str, str] | str) -> tuple[dict[str, Array], set[str]]:
    """What the engine reads from `stored`, float64, and the names of quantised ones."""
    out, quantised = {}, set()
    for name, tensor in tensors.items():
        kind = types if isinstance(types, str) else types.get(name.split(".")[-2], "F32")
        if not is_matrix(name, tensor):
            kind = "F32"
        data = gguf.quants.dequantize(gguf.quants.quantize(tensor, QUANTS[kind]), QUANTS[kind])
        out[name] = data.reshape(tensor.shape).astype(np.float64)
        if kind.startswith("Q"):
            quantised.add(name)
    return out, quantised


def rounded(x: Array) -> Array:
    """Activations as a quantised product sees them: int8 in blocks of 32, their scales in half precision."""
    blocks = x.reshape(*x.shape[:-1], -1, 32)
    most = np.abs(blocks).max(-1, keepdims=True)
    q = np.rint(blocks * (127 / np.where(most == 0, 1, most)))
    out: Array = (q * (most / 127).astype(np.float16).astype(np.float64)).reshape(x.shape)
    return out


def logits(shape: Shape, tensors: dict[str, Array], tokens: Sequence[int], quantised: set[str] | None = None,
           factors: Array | None = None) -> Array:
    """The logits after each token (len(tokens), vocab), float64.

    Beyond the context the oldest key and value are overwritten, as in a ring.
    """
    n, hw, group = len(tokens), shape.hw, shape.heads // shape.kv_heads
    quantised = quantised or set()
    frequency = shape.theta ** (-2.0 * np.arange(hw // 2) / hw) / (1 if factors is None else factors)

    def linear(x: Array, name: str) -> Array:
        out: Array = (rounded(x) if f"{name}.weight" in quantised else x) @ tensors[f"{name}.weight"].T
        return out

    def norm(x: Array, name: str) -> Array:
        out: Array = x / np.sqrt((x**2).mean(-1, keepdims=True) + shape.eps) * tensors[f"{name}.weight"]
        return out

    def rotated(x: Array) -> Array:  # (n, heads, hw): pairs of neighbours
        angle = np.arange(n)[:, None, None] * frequency
        turned = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angle)
        out: Array = np.stack([turned.real, turned.imag], -1).reshape(x.shape)
        return out

    x = tensors["token_embd.weight"][list(tokens)].astype(np.float64)
    at = np.arange(n)
    hidden = (at[None, :] > at[:, None]) | (at[None, :] <= at[:, None] - shape.context)
    for layer in range(shape.layers):
        b = f"blk.{layer}"
        h = norm(x, f"{b}.attn_norm")
        q = rotated(linear(h, f"{b}.attn_q").reshape(n, shape.heads, hw)).transpose(1, 0, 2)
        k = rotated(linear(h, f"{b}.attn_k").reshape(n, shape.kv_heads, hw)).transpose(1, 0, 2).repeat(group, 0)
        v = linear(h, f"{b}.attn_v").reshape(n, shape.kv_heads, hw).transpose(1, 0, 2).repeat(group, 0)
        scores = np.where(hidden, -np.inf, q @ k.transpose(0, 2, 1) / np.sqrt(hw))
        p = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (p / p.sum(-1, keepdims=True)) @ v
        x = x + linear(mixed.transpose(1, 0, 2).reshape(n, shape.heads * hw), f"{b}.attn_output")
        h = norm(x, f"{b}.ffn_norm")
        gate = linear(h, f"{b}.ffn_gate")
        x = x + linear(gate / (1 + np.exp(-gate)) * linear(h, f"{b}.ffn_up"), f"{b}.ffn_down")
    head = "output" if "output.weight" in tensors else "token_embd"
    return linear(norm(x, "output_norm"), head)


# -- llama2.c --

LLAMA2C = Shape(vocab=259)  # unknown, bos, eos, the bytes

BEFORE = ("attn_q", "attn_k", "attn_v", "attn_output")  # llama2.c's order
AFTER = ("ffn_gate", "ffn_down", "ffn_up")


def tokenizer_bin() -> bytes:
    """A tokenizer.bin with a token for each byte."""
    pieces = [b"<unk>", b"\n<s>\n", b"\n</s>\n", *(b"<0x%02X>" % byte for byte in range(256))]
    return struct.pack("<i", max(map(len, pieces))) + b"".join(
        struct.pack("<fi", 0.0, len(piece)) + piece for piece in pieces)


class File:
    """A llama2.c file; `marks` names where each part starts."""

    def __init__(self) -> None:
        self.data = b""
        self.marks: list[tuple[int, int, str]] = []

    def put(self, name: str, data: bytes) -> None:
        self.marks.append((len(self.data), len(data), name))
        self.data += data


def header(file: File, shape: Shape, vocab: int) -> None:
    for name in ("width", "hidden", "layers", "heads", "kv_heads"):
        file.put(name, struct.pack("<i", getattr(shape, name)))
    file.put("vocab", struct.pack("<i", vocab))
    file.put("context", struct.pack("<i", shape.context))


def v0(shape: Shape, tensors: dict[str, Array]) -> File:
    """export.py's legacy_export; a head of its own makes the vocabulary negative."""
    file = File()
    untied = "output.weight" in tensors
    header(file, shape, -shape.vocab if untied else shape.vocab)
    file.put("token_embd", tensors["token_embd.weight"].tobytes())
    for name in ("attn_norm", *BEFORE, "ffn_norm", *AFTER):
        file.put(name, b"".join(tensors[f"blk.{i}.{name}.weight"].tobytes() for i in range(shape.layers)))
    file.put("output_norm", tensors["output_norm.weight"].tobytes())
    file.put("freqs", b"\xff" * (shape.context * shape.hw // 2 * 2 * 4))  # not to be used
    if untied:
        file.put("output", tensors["output.weight"].tobytes())
    return file


def grouped(tensor: Array, group: int) -> tuple[Array, Array]:
    """export.py's quantize_q80: int8 values, and a scale for each group."""
    w = tensor.reshape(-1, group)
    scale = (np.abs(w).max(1) / np.float32(127)).astype(np.float32)
    return np.rint(w / scale[:, None]).astype(np.int8), scale


def v2(shape: Shape, tensors: dict[str, Array], group: int) -> tuple[File, dict[str, Array], set[str]]:
    """export.py's version2_export; what the engine reads from it; which matrices it quantises activations for."""
    file, out = File(), {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    quantised: set[str] = set()
    file.put("magic", struct.pack("<I", 0x616B3432))
    file.put("version", struct.pack("<i", 2))
    header(file, shape, shape.vocab)
    file.put("tied", bytes(["output.weight" not in tensors]))
    file.put("group", struct.pack("<i", group))
    file.put("zeros", bytes(256 - len(file.data)))

    def put(name: str) -> None:
        q, scale = grouped(tensors[name], group)
        out[name] = (q.astype(np.float32) * scale[:, None]).reshape(tensors[name].shape).astype(np.float64)
        if group % 32 == 0:
            quantised.add(name)
        file.put(name, q.tobytes())
        file.put(f"{name} scales", scale.tobytes())

    for name in ("attn_norm", "ffn_norm"):
        file.put(name, b"".join(tensors[f"blk.{i}.{name}.weight"].tobytes() for i in range(shape.layers)))
    file.put("output_norm", tensors["output_norm.weight"].tobytes())
    put("token_embd.weight")
    for name in (*BEFORE, *AFTER):
        for i in range(shape.layers):
            put(f"blk.{i}.{name}.weight")
    if "output.weight" in tensors:
        put("output.weight")
    return file, out, quantised


def model_bytes(shape: Shape, tensors: dict[str, Array], types: dict[str, str] | str = "F32",
                more: Sequence[Key] = (), extra: Mapping[str, Array] | None = None) -> bytes:
    """A GGUF of it; `extra`: more tensors."""
    return bytes(models.write([*keys_of(shape), *more], {**stored(tensors, types), **(extra or {})}).data)
