"""The scalar table's float functions for Llama models, close to NumPy's float64; other tables: test_tables.py."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.kernels.table import Kernels

Array = NDArray[Any]
RNG = np.random.default_rng(3)


def floats(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def address(x: Array) -> ctypes.c_void_p:
    return x.ctypes.data_as(ctypes.c_void_p)


@pytest.fixture(scope="module")
def scalar(library: ctypes.CDLL) -> Kernels:
    return Kernels.in_dll(library, "kernels_scalar")


@pytest.mark.parametrize("kind", ["f32", "f16"])
@pytest.mark.parametrize(("d", "n", "m"), [(7, 100, 1), (3, 16, 5), (20, 768, 2), (4, 0, 2), (0, 8, 1)])
def test_matmul(scalar: Kernels, kind: str, d: int, n: int, m: int) -> None:
    w, x, out = floats(d, n), floats(m, n), np.full((m, d + 2), 9, np.float32)
    if kind == "f16":
        w = w.astype(np.float16)
    sizes = [ctypes.c_size_t(size) for size in (d, n, m)]
    scalar.call(f"matmul_{kind}", address(out), ctypes.c_size_t(d + 2), address(w), address(x), *sizes)
    assert np.allclose(out[:, :d], x.astype(np.float64) @ w.astype(np.float64).T, atol=1e-4)
    assert (out[:, d:] == 9).all(), "what lies between two rows of out is not written"


def test_rmsnorm(scalar: Kernels) -> None:
    x, w, out = floats(300), floats(300), np.empty(300, np.float32)
    scalar.call("rmsnorm", address(out), address(x), address(w), ctypes.c_size_t(300), ctypes.c_float(1e-2))
    wide = x.astype(np.float64)
    assert np.allclose(out, wide * w / np.sqrt(np.mean(wide * wide) + 1e-2), rtol=1e-5)


def test_swiglu(scalar: Kernels) -> None:
    gate, up = floats(300) * 20, floats(300)
    wide = gate.astype(np.float64)
    scalar.call("swiglu", address(gate), address(up), ctypes.c_size_t(300))
    assert np.allclose(gate, wide / (1 + np.exp(-wide)) * up, rtol=1e-5, atol=1e-12)


def test_rope(scalar: Kernels) -> None:
    x, angle = floats(46), floats(23)
    turned = (x[::2] + 1j * x[1::2].astype(np.complex128)) * np.exp(1j * angle)
    cosine, sine = np.cos(angle), np.sin(angle)
    scalar.call("rope", address(x), address(cosine), address(sine), ctypes.c_size_t(46))
    assert np.allclose(x[::2], turned.real, atol=1e-6) and np.allclose(x[1::2], turned.imag, atol=1e-6)
