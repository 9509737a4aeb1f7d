"""Sizes of models, and the presets by name. Nothing here needs PyTorch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, get_args

from model.program import InputError


@dataclass(frozen=True)
class GptShape:
    """GPT-2: LayerNorm, learned positions, GELU; biases everywhere but in the head, and in qkv where it says so."""

    vocab: int
    context: int
    layers: int
    heads: int
    width: int
    qkv_bias: bool = True
    tied: bool = True  # the head is the token table
    dropout: float = 0.0

    architecture = "gpt2"

    @property
    def hidden(self) -> int:
        return 4 * self.width

    @property
    def parameters(self) -> int:
        """Of a tied head, the table once."""
        w = self.width
        qkv = 3 * w * w + (3 * w if self.qkv_bias else 0)
        layer = qkv + w * w + w + 2 * w * self.hidden + self.hidden + w + 4 * w
        tables = self.vocab * w * (1 if self.tied else 2) + self.context * w
        return tables + self.layers * layer + 2 * w


@dataclass(frozen=True)
class LlamaShape:
    """Llama: RMSNorm, rotary positions, SwiGLU, grouped-query attention; no biases."""

    vocab: int
    context: int
    layers: int
    heads: int
    kv_heads: int
    width: int
    hidden: int
    tied: bool = True
    rope_theta: float = 10_000.0
    eps: float = 1e-5

    architecture = "llama"

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    @property
    def parameters(self) -> int:
        """Of a tied head, the table once."""
        w, narrow = self.width, self.kv_heads * self.head_width
        layer = 2 * w * w + 2 * w * narrow + 3 * w * self.hidden + 2 * w
        return self.vocab * w * (1 if self.tied else 2) + self.layers * layer + w


Shape = GptShape | LlamaShape

# Those of llama2.c's stories models but for 260m, which wants a GPU.
PRESETS: dict[str, Shape] = {
    "nano": GptShape(vocab=256, context=64, layers=2, heads=2, width=64),
    "124m": GptShape(vocab=50257, context=1024, layers=12, heads=12, width=768, qkv_bias=False, tied=False,
                     dropout=0.1),
    "260k": LlamaShape(vocab=512, context=512, layers=5, heads=8, kv_heads=4, width=64, hidden=172),
    "15m": LlamaShape(vocab=32000, context=256, layers=6, heads=6, kv_heads=6, width=288, hidden=768),
    "42m": LlamaShape(vocab=32000, context=1024, layers=8, heads=8, kv_heads=8, width=512, hidden=1376),
    "110m": LlamaShape(vocab=32000, context=1024, layers=12, heads=12, kv_heads=12, width=768, hidden=2048),
    "260m": LlamaShape(vocab=32000, context=1024, layers=18, heads=16, kv_heads=16, width=1024, hidden=2816),
}

_LIMIT = 1 << 20  # of every whole number: far above any model here


def preset(name: str, **changes: Any) -> Shape:
    """A preset, with some sizes changed. InputError for a name or a size that there is not."""
    if name not in PRESETS:
        raise InputError(f"there is no preset {name}", f"there are: {', '.join(PRESETS)}")
    shape = PRESETS[name]
    known = {field.name for field in fields(shape)}
    for change in changes:
        if change not in known:
            raise InputError(f"{name} has no size {change}", f"it has: {', '.join(sorted(known))}")
    return checked(replace(shape, **changes))


def checked(shape: Shape) -> Shape:
    """The shape itself; InputError where its sizes cannot be."""
    for field in fields(shape):
        value = getattr(shape, field.name)
        if isinstance(value, int) and not isinstance(value, bool) and not 1 <= value <= _LIMIT:
            raise InputError(f"a model's {field.name} cannot be {value}", f"it is from 1 to {_LIMIT:,}")
    if shape.width % shape.heads:
        raise InputError(f"{shape.heads} heads cannot share a width of {shape.width}", "it must be a multiple of them")
    if isinstance(shape, LlamaShape) and shape.heads % shape.kv_heads:
        raise InputError(f"{shape.heads} heads cannot share {shape.kv_heads} keys and values",
                         "kv_heads must divide heads")
    if isinstance(shape, LlamaShape) and shape.head_width % 2:
        raise InputError(f"a head of {shape.head_width} values cannot be rotated in pairs", "choose fewer heads")
    return shape


def to_json(shape: Shape) -> dict[str, Any]:
    """For a file's metadata; from_json reads it."""
    return {"architecture": shape.architecture, **asdict(shape)}


def from_json(found: Any) -> Shape:
    """The shape that to_json wrote. InputError for anything else: it comes from a file."""
    kinds = {kind.architecture: kind for kind in get_args(Shape)}
    kind = kinds.get(found.get("architecture")) if isinstance(found, dict) else None
    if kind is None:
        raise InputError("a model of an unknown architecture", f"known are: {', '.join(kinds)}")
    values = {name: value for name, value in found.items() if name != "architecture"}
    types = {field.name: str(field.type) for field in fields(kind)}
    if values.keys() != types.keys():
        raise InputError(f"the sizes of a {kind.architecture} model are not {', '.join(values)}",
                         f"they are: {', '.join(types)}")
    for name, value in values.items():
        wanted: Any = {"int": int, "bool": bool, "float": (int, float)}[types[name]]
        if not isinstance(value, wanted) or (types[name] != "bool" and isinstance(value, bool)):
            raise InputError(f"a model's {name} is {value!r}", f"it must be of type {types[name]}")
    return checked(kind(**values))
