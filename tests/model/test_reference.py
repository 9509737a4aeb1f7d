"""Every operation's derivative beside finite differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from model.reference import tape as t
from model.reference.tape import Array, Var

H = 1e-5
ANGLES = np.arange(6.0).reshape(3, 2)
RNG = np.random.default_rng(1)


def r(*shape: int) -> Array:
    return RNG.standard_normal(shape)


OPERATIONS: dict[str, tuple[Callable[..., Var], tuple[Array, ...]]] = {
    "add": (t.add, (r(3, 4), r(4))),
    "subtract": (t.subtract, (r(3, 1), r(1, 4))),
    "multiply": (t.multiply, (r(2, 3, 4), r(3, 1))),
    "divide": (t.divide, (r(3, 4), r(4) ** 2 + 1)),
    "scale": (lambda a: t.scale(a, -2.5), (r(3, 4),)),
    "total": (t.total, (r(3, 4),)),
    "reshape": (lambda a: t.reshape(a, (4, 3)), (r(3, 4),)),
    "transpose": (lambda a: t.transpose(a, (2, 0, 1)), (r(2, 3, 4),)),
    "repeat": (lambda a: t.repeat(a, 3, 1), (r(2, 2, 3),)),
    "matmul": (t.matmul, (r(3, 4), r(4, 5))),
    "batched matmul": (t.matmul, (r(2, 3, 4), r(2, 4, 5))),
    "matmul of one and many": (t.matmul, (r(2, 3, 4), r(4, 5))),
    "linear": (t.linear, (r(2, 3, 4), r(5, 4), r(5))),
    "embedding": (lambda a: t.embedding(a, np.array([[0, 2, 2], [1, 0, 2]])), (r(4, 3),)),
    "layer_norm": (t.layer_norm, (r(2, 3, 8), r(8), r(8))),
    "rms_norm": (t.rms_norm, (r(2, 3, 8), r(8))),
    "softmax": (t.softmax, (r(3, 5),)),
    "gelu": (t.gelu, (r(3, 5),)),
    "silu": (t.silu, (r(3, 5),)),
    "rotate": (lambda a: t.rotate(a, np.cos(ANGLES), np.sin(ANGLES)), (r(2, 3, 4),)),
    "cross_entropy": (lambda a: t.cross_entropy(a, np.array([1, 0, 3])), (r(3, 5),)),
    "attention": (t.attention, (r(2, 4, 3), r(2, 4, 3), r(2, 4, 3))),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_derivative(name: str) -> None:
    operation, arrays = OPERATIONS[name]
    inputs = [Var(array) for array in arrays]
    weight = np.random.default_rng(2).standard_normal(operation(*inputs).shape)

    def loss() -> Var:
        return t.total(operation(*inputs) * Var(weight))

    loss().backward()
    for var in inputs:
        found = var.grad
        for at in np.ndindex(var.shape):
            kept = var.data[at]
            var.data[at] = kept + H
            up = float(loss().data)
            var.data[at] = kept - H
            down = float(loss().data)
            var.data[at] = kept
            assert found[at] == pytest.approx((up - down) / (2 * H), rel=1e-7, abs=1e-8)


def test_a_value_that_is_used_twice_has_both_gradients() -> None:
    a = Var([2.0])
    t.total(a * a + a).backward()
    assert a.grad.tolist() == [5.0]
