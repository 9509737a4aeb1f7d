"""The C trainer's weights.bin and PyTorch's models: the same GPT-2, either way."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model import checkpoint
from model.architectures import Model
from model.checkpoint import Checkpoint
from model.export import weights as trainer
from model.program import InputError
from model.shapes import GptShape


def read(path: Path) -> Checkpoint:
    """A checkpoint, or the C trainer's weights.bin. InputError for what is neither."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(trainer.MAGIC))
    except FileNotFoundError:
        magic = b""
    if magic != trainer.MAGIC:
        return checkpoint.read(path)
    found = trainer.read(path)
    c = found.config
    shape = GptShape(c.vocab, c.context, c.layers, c.heads, c.width)
    if c.hidden != shape.hidden:
        raise InputError(f"{path} has {c.hidden} values between its layers' matrices", f"GPT-2 has {shape.hidden}")
    state: dict[str, Tensor] = {}
    for tensor in found.tensors:
        values = torch.from_numpy(np.frombuffer(tensor.data, "<f4").reshape(tensor.shape).copy())
        state[_name(tensor.name, tensor.layer)] = values
    state["head.weight"] = state["token.weight"]
    return Checkpoint(shape, "bytes", state, {}, {})


def to_trainer(model: Model) -> bytes:
    """A weights.bin. InputError for a model that the C trainer does not know."""
    shape = model.shape
    if not isinstance(shape, GptShape) or not shape.tied or not shape.qkv_bias:
        raise InputError("the C trainer knows GPT-2 with a tied head and biases alone", "export it as GGUF")
    config = trainer.Config(shape.vocab, shape.context, shape.layers, shape.heads, shape.width, shape.hidden)
    state = model.state_dict()
    head = trainer.MAGIC + struct.pack("<6I", *vars(config).values())
    parts = [np.ascontiguousarray(state[_name(name, layer)].cpu().numpy(), "<f4").tobytes()
             for name, layer, _ in trainer.shapes(config)]
    return head.ljust(trainer.HEADER, b"\0") + b"".join(parts)


def _name(name: str, layer: int | None) -> str:
    """qkv_w of layer 1: layers.1.qkv.weight"""
    part, _, kind = name.partition("_")
    whole = f"{part}.{'bias' if kind == 'b' else 'weight'}"
    return whole if layer is None else f"layers.{layer}.{whole}"
