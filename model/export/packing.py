"""Numbers as ggml stores them: F32, F16, and blocks of 32 with one scale (ggml's quantize_row_*_reference)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

BLOCK = 32
KINDS = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 8}  # ggml's numbers


def kind_for(wanted: str, columns: int) -> str:
    """F16 where rows of that many columns make no whole blocks."""
    return "F16" if wanted.startswith("Q") and columns % BLOCK else wanted


def pack(values: Array, kind: str) -> bytes:
    """values (..., columns) -> their bytes, row by row"""
    if kind == "F32":
        return np.ascontiguousarray(values, "<f4").tobytes()
    if kind == "F16":
        return values.astype("<f2").tobytes()
    blocks = np.ascontiguousarray(values, np.float32).reshape(-1, BLOCK)
    scales, codes = _q8(blocks) if kind == "Q8_0" else _q4(blocks)
    packed = np.concatenate([scales.astype("<f2").view(np.uint8).reshape(-1, 2), codes.view(np.uint8)], axis=1)
    return packed.tobytes()


def _q8(blocks: Array) -> tuple[Array, NDArray[Any]]:
    """Scale and 32 whole numbers from -127 to 127 each; halves go away from 0."""
    scale = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    x = blocks * _inverse(scale)
    return scale, (np.sign(x) * np.floor(np.abs(x) + np.float32(0.5))).astype(np.int8)


def _q4(blocks: Array) -> tuple[Array, NDArray[Any]]:
    """Scale and 32 numbers from 0 to 15, 8 being 0: number i and i + 16 share a byte."""
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1, keepdims=True), axis=1)
    scale = largest / np.float32(-8)
    codes = np.minimum(15, np.trunc(blocks * _inverse(scale) + np.float32(8.5))).astype(np.uint8)
    return scale, codes[:, :BLOCK // 2] | codes[:, BLOCK // 2:] << 4


def _inverse(scale: Array) -> Array:
    with np.errstate(divide="ignore"):
        inverse: Array = np.where(scale == 0, np.float32(0), np.float32(1) / scale)
    return inverse
