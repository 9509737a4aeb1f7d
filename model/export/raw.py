"""The weights alone: little-endian fp32, in the order that model/export/weights.py documents."""

from __future__ import annotations

from model.export.weights import Weights


def raw(weights: Weights) -> bytes:
    """All tensors, one after the other, without a header."""
    return b"".join(tensor.data for tensor in weights.tensors)
