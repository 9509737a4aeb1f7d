"""The quantised products of the scalar table, which the others equal (test_tables.py), by NumPy's arithmetic: bit for
bit by the rules of quant.h, and close to what the `gguf` package makes of the same bytes."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from numpy.typing import NDArray

from tests.kernels.table import Kernels

Array = NDArray[Any]
FORMATS = {"q8_0": GGMLQuantizationType.Q8_0, "q4_0": GGMLQuantizationType.Q4_0}
SHAPES = [(1, 32, 1), (3, 64, 2), (33, 288, 3), (5, 768, 1), (40, 1056, 2), (2, 2048, 4)]


class Rows(ctypes.Structure):
    _fields_ = [("q", ctypes.c_void_p), ("d", ctypes.c_void_p)]


def address(x: Array) -> ctypes.c_void_p:
    assert x.flags["C_CONTIGUOUS"]
    return x.ctypes.data_as(ctypes.c_void_p)


@pytest.fixture(scope="module")
def scalar(library: ctypes.CDLL) -> Kernels:
    return Kernels.in_dll(library, "kernels_scalar")


def rounded(table: Kernels, x: Array) -> tuple[Array, Array]:
    """What `quantize` makes of x (m,n)."""
    m, n = x.shape
    q, d = np.empty((m, n), np.int8), np.empty((m, n // 32), np.float32)
    table.call("quantize", address(q), address(d), address(x), ctypes.c_size_t(x.size))
    return q, d


def product(table: Kernels, name: str, w: Array, d: int, q: Array, dx: Array, *scales: Any) -> Array:
    """matmul_NAME of d rows of weights."""
    m, n = q.shape
    out = np.full((m, d), np.nan, np.float32)
    rows = Rows(address(q), address(dx))
    sizes = [ctypes.c_size_t(size) for size in (d, n, m)]
    table.call(f"matmul_{name}", address(out), ctypes.c_size_t(d), address(w), *scales, ctypes.byref(rows), *sizes)
    return out


def by_the_rules(w: Array, scale: Array, q: Array, dx: Array) -> Array:
    """quant.h in float32: w (d,n) integers, scale (d,n/32), q (m,n), dx (m,n/32)."""
    blocks = scale.shape[1]
    w, q = w.reshape(len(w), blocks, 32).astype(np.int64), q.reshape(len(q), blocks, 32).astype(np.int64)
    lanes = np.zeros((len(q), len(w), 16), np.float32)
    for b in range(blocks):
        sums = (q[:, b] @ w[:, b].T).astype(np.float32)
        lanes[:, :, b % 16] += sums * (scale[None, :, b] * dx[:, b, None])
    while lanes.shape[2] > 1:
        half = lanes.shape[2] // 2
        lanes = lanes[:, :, :half] + lanes[:, :, half:]
    return np.asarray(lanes[:, :, 0])


def unpacked(name: str, raw: Array) -> tuple[Array, Array]:
    """Integers and scales of rows of blocks."""
    size = {"q8_0": 34, "q4_0": 18}[name]
    blocks = raw.reshape(len(raw), -1, size)
    scale = np.ascontiguousarray(blocks[:, :, :2]).view(np.float16)[:, :, 0].astype(np.float32)
    values = blocks[:, :, 2:]
    if name == "q8_0":
        return values.view(np.int8).reshape(len(raw), -1).astype(np.int64), scale
    nibbles = np.concatenate([values & 15, values >> 4], axis=2).astype(np.int64) - 8
    return nibbles.reshape(len(raw), -1), scale


def same_bits(a: Array, b: Array) -> bool:
    return a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("d", "n", "m"), SHAPES)
def test_products_of_files_blocks(scalar: Kernels, name: str, d: int, n: int, m: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.normal(size=(m, n)).astype(np.float32)
    raw = quantize(rng.normal(size=(d, n)).astype(np.float32), FORMATS[name])
    q, dx = rounded(scalar, x)
    got = product(scalar, name, raw, d, q, dx)
    assert same_bits(got, by_the_rules(*unpacked(name, raw), q, dx))
    want = x.astype(np.float64) @ dequantize(raw, FORMATS[name]).astype(np.float64).T
    assert np.max(np.abs(got - want)) < 0.02 * np.sqrt(n)  # x is rounded to 1/127 of its blocks' largest


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("byte", [0x80, 0x7F, 0x00, 0xFF])
@pytest.mark.parametrize("activation", [127, -127])
def test_extremes(scalar: Kernels, name: str, byte: int, activation: int) -> None:
    """Every weight is the same byte, -128 too, which no quantiser writes."""
    blocks = np.full((2, 13, {"q8_0": 34, "q4_0": 18}[name]), byte, np.uint8)
    blocks[:, :, :2] = np.frombuffer(np.float16(0.25).tobytes(), np.uint8)
    raw = blocks.reshape(2, -1)
    q, dx = np.full((1, 13 * 32), activation, np.int8), np.full((1, 13), 0.5, np.float32)
    assert same_bits(product(scalar, name, raw, 2, q, dx), by_the_rules(*unpacked(name, raw), q, dx))


@pytest.mark.parametrize("group", [32, 64, 96, 1056])
def test_products_of_llama2c_groups(scalar: Kernels, group: int) -> None:
    rng = np.random.default_rng(group)
    d, m, n = 35, 2, group * max(1, 1056 // group)
    w, scale = rng.integers(-128, 128, (d, n), np.int8), rng.normal(size=(d, n // group)).astype(np.float32)
    q, dx = rounded(scalar, rng.normal(size=(m, n)).astype(np.float32))
    got = product(scalar, "q8_g", w, d, q, dx, address(scale), ctypes.c_size_t(group))
    assert same_bits(got, by_the_rules(w, np.repeat(scale, group // 32, axis=1), q, dx))


def test_halves(library: ctypes.CDLL) -> None:
    library.quant_half.restype = ctypes.c_float
    library.quant_half.argtypes = [ctypes.c_uint16]
    bits = np.arange(65536, dtype=np.uint16)
    got = np.array([library.quant_half(int(b)) for b in bits], np.float32)
    want = bits.view(np.float16).astype(np.float32)
    number = ~np.isnan(want)
    assert same_bits(got[number], want[number])
    assert np.isnan(got[~number]).all()


def halved(most: Array) -> Array:
    """The scale of blocks with these largest magnitudes: in half precision where it has such numbers."""
    d = most / np.float32(127)
    with np.errstate(over="ignore"):
        return np.where(d <= 65504, d.astype(np.float16).astype(np.float32), d)


def test_scales_are_rounded_to_half_precision(scalar: Kernels) -> None:
    """Every number of that precision, its neighbours, and floats of all sizes."""
    halves = np.arange(1, 0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32) * np.float32(127)
    most = np.concatenate([halves, np.nextafter(halves, np.float32(0)), np.nextafter(halves, np.float32(np.inf)),
                           np.arange(0, 0x7F800000, 8191, dtype=np.uint32).view(np.float32)])
    x = np.zeros((most.size, 32), np.float32)
    x[:, 5] = most
    _, d = rounded(scalar, x)
    assert same_bits(d[:, 0], halved(most))


def test_activations_are_rounded_as_the_header_says(scalar: Kernels) -> None:
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(400, 32)) * 10.0 ** rng.integers(-30, 30, (400, 1))).astype(np.float32)
    x[7] = 0
    q, d = rounded(scalar, x)
    most = np.max(np.abs(x), axis=1)
    assert same_bits(d[:, 0], halved(most))
    with np.errstate(divide="ignore", invalid="ignore"):
        want = np.rint(x * (np.float32(127) / most)[:, None])
    assert np.array_equal(q, np.nan_to_num(want).astype(np.int8)) and not q[7].any()


def test_activations_near_those_of_the_gguf_package(scalar: Kernels) -> None:
    """It rounds halves away from 0."""
    x = np.random.default_rng(2).normal(size=(64, 256)).astype(np.float32)
    theirs, scale = unpacked("q8_0", quantize(x, GGMLQuantizationType.Q8_0))
    q, d = rounded(scalar, x)
    assert np.max(np.abs(q - theirs)) <= 1
    assert same_bits(d, scale.reshape(d.shape).astype(np.float32))


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_shows(scalar: Kernels, bad: float) -> None:
    x = np.ones((1, 96), np.float32)
    x[0, 40] = bad
    q, d = rounded(scalar, x)
    assert np.isfinite(d[0, [0, 2]]).all() and not np.isfinite(d[0, 1])
    assert not q[0, 32:64].any()
    raw = quantize(np.ones((1, 96), np.float32), GGMLQuantizationType.Q8_0)
    assert np.isnan(product(scalar, "q8_0", raw, 1, q, d)).all()


@pytest.mark.parametrize("largest", [1e-45, 1e-40, 1.2e-38, 3.4e38])
def test_activations_at_the_ends_of_the_range(scalar: Kernels, largest: float) -> None:
    x = np.zeros((1, 32), np.float32)
    x[0, 3], x[0, 4] = largest, -largest
    q, d = rounded(scalar, x)
    assert q[0, 3] == 127 and q[0, 4] == -127 and np.count_nonzero(q) == 2
    assert d[0, 0] == halved(np.array([largest], np.float32))[0]
