"""Small random models for tests, in the trainer's format."""

from __future__ import annotations

import struct

import numpy as np

from model.export.weights import Config, shapes


def random_weights(config: Config, seed: int = 1) -> tuple[bytes, dict[str, np.ndarray]]:
    """A weights file, and its tensors by name ("token", "0.qkv_w")."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}
    for name, layer, shape in shapes(config):
        values = rng.standard_normal(shape).astype("<f4") * np.float32(0.3)
        if name in ("ln1_w", "ln2_w", "norm_w"):
            values = values + np.float32(1)
        tensors[name if layer is None else f"{layer}.{name}"] = values
    numbers = (config.vocab, config.context, config.layers, config.heads, config.width, config.hidden)
    header = (b"INGOTW1\0" + struct.pack("<6I", *numbers)).ljust(64, b"\0")
    return header + b"".join(values.tobytes() for values in tensors.values()), tensors


TINY = Config(vocab=256, context=32, layers=2, heads=2, width=16, hidden=64)
