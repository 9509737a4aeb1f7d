"""engine/math.h against libm, in units in the last place, over wide ranges and at the edges."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]
RNG = np.random.default_rng(1)
WIDE = np.longdouble  # 64 bits of mantissa on x86: the judge of the double functions


def mapped(library: ctypes.CDLL, name: str, *arrays: Array) -> Array:
    """m_NAME over arrays of float32 or float64."""
    out = np.empty_like(arrays[0])
    pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in (out, *map(np.ascontiguousarray, arrays))]
    getattr(library, f"map_m_{name}")(*pointers, ctypes.c_size_t(out.size))
    return out


def ulps(got: Array, want: Array) -> float:
    """The largest error, in units in the last place of the result's own type."""
    nearest = want.astype(got.dtype)
    finite = np.isfinite(nearest)
    assert np.array_equal(got[~finite], nearest[~finite], equal_nan=True)
    unit = np.spacing(np.abs(nearest[finite])).astype(want.dtype)
    return float(np.max(np.abs(got[finite].astype(want.dtype) - want[finite]) / unit))


def every_scale(n: int, least: float, most: float, kind: type) -> Array:
    """Random signs, magnitudes spread evenly over the exponents of [least, most]."""
    x = np.exp(RNG.uniform(math.log(least), math.log(most), n))
    return np.asarray(x * RNG.choice([-1, 1], n), kind)


FLOAT: list[tuple[str, Callable[[Array], Array], Array, float]] = [
    ("expf", np.exp, RNG.uniform(-104, 89, 400_000), 2.0),
    ("expf", np.exp, every_scale(100_000, 1e-30, 80, np.float32), 2.0),
    ("tanhf", np.tanh, RNG.uniform(-12, 12, 400_000), 2.5),
    ("tanhf", np.tanh, every_scale(100_000, 1e-30, 1e30, np.float32), 2.5),
    ("sqrtf", np.sqrt, np.abs(every_scale(100_000, 1e-44, 1e38, np.float32)), 0.5),
]


@pytest.mark.parametrize(("name", "judge", "x", "bound"), FLOAT)
def test_float(library: ctypes.CDLL, name: str, judge: Callable[[Array], Array], x: Array, bound: float) -> None:
    x = x.astype(np.float32)
    with np.errstate(over="ignore", under="ignore"):
        assert ulps(mapped(library, name, x), judge(x.astype(np.float64))) <= bound


DOUBLE: list[tuple[str, Callable[[Array], Array], Array, float]] = [
    ("exp", np.exp, RNG.uniform(-745, 709.7, 200_000), 1.0),
    ("exp", np.exp, every_scale(100_000, 1e-300, 700, np.float64), 1.0),
    ("log", np.log, np.abs(every_scale(200_000, 1e-307, 1e307, np.float64)), 1.0),
    ("log", np.log, RNG.uniform(0.5, 2.0, 200_000), 1.0),
    ("sin", np.sin, RNG.uniform(-1048576, 1048576, 200_000), 1.0),
    ("sin", np.sin, every_scale(200_000, 1e-300, 10, np.float64), 1.0),
    ("cos", np.cos, RNG.uniform(-1048576, 1048576, 200_000), 1.0),
    ("cos", np.cos, np.arange(0, 1048576, 7, dtype=np.float64), 1.0),
    ("sin", np.sin, np.arange(1, 600_000, 3) * (math.pi / 2), 1.0),
    ("sqrt", np.sqrt, np.abs(every_scale(100_000, 1e-307, 1e307, np.float64)), 0.51),
]


@pytest.mark.parametrize(("name", "judge", "x", "bound"), DOUBLE)
def test_double(library: ctypes.CDLL, name: str, judge: Callable[[Array], Array], x: Array, bound: float) -> None:
    assert ulps(mapped(library, name, x), judge(x.astype(WIDE))) <= bound


@pytest.mark.parametrize(("reach", "bound"), [(16.0, 2.0), (708.0, 32.0)])
def test_pow(library: ctypes.CDLL, reach: float, bound: float) -> None:
    x = np.abs(every_scale(300_000, 1e-300, 1e300, np.float64))
    y = RNG.uniform(-reach, reach, x.size) / np.abs(np.log(x))
    assert ulps(mapped(library, "pow", x, y), np.power(x.astype(WIDE), y.astype(WIDE))) <= bound


def test_pow_near_one_and_rotary_frequencies(library: ctypes.CDLL) -> None:
    x = 1 + every_scale(100_000, 1e-12, 1e-2, np.float64)
    y = RNG.uniform(-1000, 1000, x.size)
    assert ulps(mapped(library, "pow", x, y), np.power(x.astype(WIDE), y.astype(WIDE))) <= 2.0
    theta = np.repeat([10000.0, 500000.0, 1e6], 64)
    exponent = -np.tile(np.arange(64) / 64, 3)
    assert ulps(mapped(library, "pow", theta, exponent), np.power(theta.astype(WIDE), exponent.astype(WIDE))) <= 1.5


EDGES = np.array([0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, 1e300, -1e300, 1e-300, 5e-324, -5e-324,
                  2.0**53, -(2.0**53), np.inf, -np.inf, np.nan])


def test_pow_edges(library: ctypes.CDLL) -> None:
    x, y = (a.ravel().copy() for a in np.meshgrid(EDGES, EDGES))
    with np.errstate(all="ignore"):
        want = np.power(x, y)
    got = mapped(library, "pow", x, y)
    for a, b, g, w in zip(x, y, got, want, strict=True):
        assert (math.isnan(g) and math.isnan(w)) or math.isclose(g, w, rel_tol=1e-15) and (
            math.copysign(1, g) == math.copysign(1, w) or w == 0 and abs(b) == math.inf), (a, b, g, w)


@pytest.mark.parametrize("name", ["exp", "log", "sqrt"])
def test_double_edges(library: ctypes.CDLL, name: str) -> None:
    judge = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt}[name]
    with np.errstate(all="ignore"):
        want = judge(EDGES)
    got = mapped(library, name, EDGES)
    assert np.allclose(got, want, rtol=1e-15, atol=0, equal_nan=True)


def test_float_edges(library: ctypes.CDLL) -> None:
    x = np.array([0, -0.0, 89, 88.73, 1e30, np.inf, -87.4, -103.9, -105, -1e30, -np.inf], np.float32)
    with np.errstate(over="ignore", under="ignore"):
        want = np.exp(x.astype(np.float64)).astype(np.float32)
    got = mapped(library, "expf", x)
    assert np.allclose(got, want, rtol=3e-7, atol=2e-45) and np.array_equal(np.isinf(got), np.isinf(want))
    x = np.array([0, -0.0, np.inf, -np.inf, 1e-44, -1e-44, 100, -100], np.float32)
    assert np.array_equal(mapped(library, "tanhf", x), np.tanh(x))
    nan = np.array([np.nan], np.float32)
    assert np.isnan(mapped(library, "expf", nan)) and np.isnan(mapped(library, "tanhf", nan))


def test_sin_and_cos_beyond_their_range(library: ctypes.CDLL) -> None:
    x = np.array([1e9, -1e9, np.inf, -np.inf, np.nan])
    assert np.isnan(mapped(library, "sin", x)).all() and np.isnan(mapped(library, "cos", x)).all()
    assert np.signbit(mapped(library, "sin", np.array([-0.0])))[0]


def gelu(x: Array) -> Array:
    return np.asarray(0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))


def test_gelu_and_its_slope(library: ctypes.CDLL) -> None:
    x = RNG.uniform(-12, 12, 200_000).astype(np.float32)
    exact, step = x.astype(np.float64), 1e-6
    assert np.max(np.abs(mapped(library, "geluf", x) - gelu(exact)) / np.maximum(np.abs(exact), 1e-3)) < 3e-7
    slope = (gelu(exact + step) - gelu(exact - step)) / (2 * step)
    assert np.max(np.abs(mapped(library, "gelu_slopef", x) - slope)) < 2e-6
    huge = np.array([1e4, -1e4, 1e30, -1e30, 0.0], np.float32)
    assert np.array_equal(mapped(library, "geluf", huge), np.array([1e4, 0, 1e30, 0, 0], np.float32))
