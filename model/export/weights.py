"""The trainer's weights file.

A header of 64 bytes: "INGOTW1\\0", then little-endian uint32 vocab, context, layers, heads, width,
hidden, then zeros. After it the tensors as little-endian fp32, row by row, without padding:

    token (vocab,width), position (context,width);
    for each layer ln1_w, ln1_b (width), qkv_w (3*width,width), qkv_b (3*width), proj_w (width,width),
    proj_b (width), ln2_w, ln2_b (width), up_w (hidden,width), up_b (hidden), down_w (width,hidden),
    down_b (width);
    norm_w, norm_b (width)

The output head is the token table.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from model.program import InputError

MAGIC = b"INGOTW1\0"
HEADER = 64
LIMIT = 1 << 20  # of every number in the header: far above any model that this format is for


@dataclass(frozen=True)
class Config:
    """A GPT-2's sizes."""

    vocab: int
    context: int
    layers: int
    heads: int
    width: int
    hidden: int


@dataclass(frozen=True)
class Tensor:
    """fp32 values, the last dimension fastest. `layer` is None outside the layers."""

    name: str
    layer: int | None
    shape: tuple[int, ...]
    data: bytes  # little-endian

    def values(self) -> array[float]:
        """The values as numbers."""
        values = array("f", self.data)
        if sys.byteorder == "big":
            values.byteswap()
        return values


@dataclass(frozen=True)
class Weights:
    """All of a model, its tensors in the order of the file."""

    config: Config
    tensors: tuple[Tensor, ...]

    @property
    def parameters(self) -> int:
        return sum(math.prod(tensor.shape) for tensor in self.tensors)


def shapes(config: Config) -> Iterator[tuple[str, int | None, tuple[int, ...]]]:
    """Name, layer and shape of each tensor, in the order of the file."""
    width, hidden = config.width, config.hidden
    yield "token", None, (config.vocab, width)
    yield "position", None, (config.context, width)
    for layer in range(config.layers):
        yield "ln1_w", layer, (width,)
        yield "ln1_b", layer, (width,)
        yield "qkv_w", layer, (3 * width, width)
        yield "qkv_b", layer, (3 * width,)
        yield "proj_w", layer, (width, width)
        yield "proj_b", layer, (width,)
        yield "ln2_w", layer, (width,)
        yield "ln2_b", layer, (width,)
        yield "up_w", layer, (hidden, width)
        yield "up_b", layer, (hidden,)
        yield "down_w", layer, (width, hidden)
        yield "down_b", layer, (width,)
    yield "norm_w", None, (width,)
    yield "norm_b", None, (width,)


def read(path: Path) -> Weights:
    """Reads and checks a weights file. Raises InputError, naming the file, or OSError."""
    data = path.read_bytes()
    config = _config(path, data)
    tensors, at = [], HEADER
    for name, layer, shape in shapes(config):
        size = 4 * math.prod(shape)
        tensor = Tensor(name, layer, shape, data[at : at + size])
        at += size
        if len(tensor.data) < size:
            raise _damaged(path, f"has {len(data)} bytes and ends inside {_named(tensor)}")
        if not all(map(math.isfinite, tensor.values())):
            raise _damaged(path, f"has a value in {_named(tensor)} that is not a finite number")
        tensors.append(tensor)
    if at != len(data):
        raise _damaged(path, f"has {len(data)} bytes where its header asks for {at}")
    return Weights(config, tuple(tensors))


def _config(path: Path, data: bytes) -> Config:
    if data[: len(MAGIC)] != MAGIC:
        raise _damaged(path, "is not a weights file: it does not start with INGOTW1")
    if len(data) < HEADER:
        raise _damaged(path, f"has {len(data)} bytes and ends inside its header")
    config = Config(*struct.unpack_from("<6I", data, len(MAGIC)))
    for item in fields(config):
        if not 1 <= getattr(config, item.name) <= LIMIT:
            raise _damaged(path, f"has an impossible {item.name} of {getattr(config, item.name)} in its header")
    if config.width % config.heads:
        raise _damaged(path, f"has a width of {config.width} that {config.heads} heads cannot share")
    if any(data[len(MAGIC) + 24 : HEADER]):
        raise _damaged(path, "has something after the numbers of its header, where zeros belong")
    return config


def _named(tensor: Tensor) -> str:
    return tensor.name if tensor.layer is None else f"{tensor.name} of layer {tensor.layer}"


def _damaged(path: Path, what: str) -> InputError:
    return InputError(f"{path} {what}", "the file is damaged or of another version: train again to make a new one")
