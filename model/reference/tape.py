"""Operations on arrays that remember how they came about, so that gradients can be carried back (reverse mode).

Each function computes its value, and says in `back` what the gradient of the loss by the value, `g`, means for each of
its inputs. Arrays are float64; a leading `...` stands for any dimensions before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Var:
    """An array, and its gradient once `backward` has been called on what was made of it."""

    def __init__(self, data: Any, parents: Sequence[Var] = (), back: Callable[[Array], Sequence[Array]] | None = None) \
            -> None:
        self.data: Array = np.asarray(data, np.float64)
        self.grad: Array = np.zeros_like(self.data)
        self._parents, self._back = parents, back

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return self.data.shape

    def __add__(self, other: Var) -> Var:
        return add(self, other)

    def __mul__(self, other: Var) -> Var:
        return multiply(self, other)

    def __matmul__(self, other: Var) -> Var:
        return matmul(self, other)

    def backward(self) -> None:
        """Fills `grad` of all that this single number was made of."""
        assert self.data.size == 1
        self.grad = np.ones_like(self.data)
        for var in reversed(_in_order(self)):
            if var._back is not None:
                for parent, gradient in zip(var._parents, var._back(var.grad), strict=True):
                    parent.grad = parent.grad + gradient


def _in_order(last: Var) -> list[Var]:
    """Everything that `last` was made of, each after what it was made of itself."""
    order: list[Var] = []
    seen: set[int] = set()
    todo: list[tuple[Var, bool]] = [(last, False)]
    while todo:
        var, done = todo.pop()
        if done:
            order.append(var)
        elif id(var) not in seen:
            seen.add(id(var))
            todo.append((var, True))
            todo += [(parent, False) for parent in var._parents]
    return order


def _to(shape: tuple[int, ...], g: Array) -> Array:
    """A gradient summed over the dimensions that broadcasting had added or stretched."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    return g.sum(axis=stretched, keepdims=True) if stretched else g


# -- arithmetic ---------------------------------------------------------------------------------------


def add(a: Var, b: Var) -> Var:
    """a + b"""
    return Var(a.data + b.data, (a, b), lambda g: (_to(a.shape, g), _to(b.shape, g)))


def subtract(a: Var, b: Var) -> Var:
    """a - b"""
    return Var(a.data - b.data, (a, b), lambda g: (_to(a.shape, g), _to(b.shape, -g)))


def multiply(a: Var, b: Var) -> Var:
    """a * b, element by element"""
    return Var(a.data * b.data, (a, b), lambda g: (_to(a.shape, g * b.data), _to(b.shape, g * a.data)))


def divide(a: Var, b: Var) -> Var:
    """a / b, element by element"""
    return Var(a.data / b.data, (a, b),
               lambda g: (_to(a.shape, g / b.data), _to(b.shape, -g * a.data / b.data**2)))


def scale(a: Var, factor: float) -> Var:
    """a times a number that is learnt by nobody"""
    return Var(a.data * factor, (a,), lambda g: (g * factor,))


def total(a: Var) -> Var:
    """The sum of all elements"""
    return Var(a.data.sum(), (a,), lambda g: (np.broadcast_to(g, a.shape),))


# -- shapes -------------------------------------------------------------------------------------------


def reshape(a: Var, shape: tuple[int, ...]) -> Var:
    """The same elements in another shape"""
    return Var(a.data.reshape(shape), (a,), lambda g: (g.reshape(a.shape),))


def transpose(a: Var, axes: tuple[int, ...]) -> Var:
    """Dimension i of the result is dimension axes[i] of a"""
    return Var(a.data.transpose(axes), (a,), lambda g: (g.transpose(np.argsort(axes)),))


def repeat(a: Var, times: int, axis: int) -> Var:
    """Each slice along an axis `times` times in a row: how grouped heads share keys and values"""
    def back(g: Array) -> tuple[Array]:
        parts = g.reshape(*a.shape[:axis + 1], times, *a.shape[axis + 1:])
        return (parts.sum(axis=axis + 1),)

    return Var(np.repeat(a.data, times, axis), (a,), back)


# -- products -----------------------------------------------------------------------------------------


def matmul(a: Var, b: Var) -> Var:
    """a (...,m,k) @ b (...,k,n) -> (...,m,n)"""
    def back(g: Array) -> tuple[Array, Array]:
        return (_to(a.shape, g @ np.swapaxes(b.data, -1, -2)), _to(b.shape, np.swapaxes(a.data, -1, -2) @ g))

    return Var(a.data @ b.data, (a, b), back)


def linear(x: Var, weight: Var, bias: Var | None = None) -> Var:
    """x (...,k), weight (n,k), bias (n) -> x @ weight.T + bias (...,n)"""
    out = x @ transpose(weight, (1, 0))
    return out if bias is None else out + bias


def embedding(table: Var, ids: NDArray[np.int64]) -> Var:
    """table (vocab,width), ids (...) -> rows (...,width); a row that is read twice has both gradients"""
    def back(g: Array) -> tuple[Array]:
        found = np.zeros_like(table.data)
        np.add.at(found, ids, g)
        return (found,)

    return Var(table.data[ids], (table,), back)


# -- norms and curves ---------------------------------------------------------------------------------


def layer_norm(x: Var, weight: Var, bias: Var, eps: float = 1e-5) -> Var:
    """Each row less its mean, by its standard deviation, times weight plus bias (Ba et al. 2016): x (...,width)"""
    inverse = 1 / np.sqrt(x.data.var(axis=-1, keepdims=True) + eps)
    normed = (x.data - x.data.mean(axis=-1, keepdims=True)) * inverse

    def back(g: Array) -> tuple[Array, Array, Array]:
        inner = g * weight.data
        mean, along = inner.mean(axis=-1, keepdims=True), (inner * normed).mean(axis=-1, keepdims=True)
        return (inverse * (inner - mean - normed * along), _to(weight.shape, g * normed), _to(bias.shape, g))

    return Var(normed * weight.data + bias.data, (x, weight, bias), back)


def rms_norm(x: Var, weight: Var, eps: float = 1e-5) -> Var:
    """Each row by its root mean square, times weight (Zhang and Sennrich 2019): x (...,width)"""
    inverse = 1 / np.sqrt((x.data**2).mean(axis=-1, keepdims=True) + eps)
    normed = x.data * inverse

    def back(g: Array) -> tuple[Array, Array]:
        inner = g * weight.data
        return (inverse * (inner - normed * (inner * normed).mean(axis=-1, keepdims=True)),
                _to(weight.shape, g * normed))

    return Var(normed * weight.data, (x, weight), back)


def softmax(x: Var) -> Var:
    """exp(x) by its sum, along the last dimension"""
    power = np.exp(x.data - x.data.max(axis=-1, keepdims=True))
    p = power / power.sum(axis=-1, keepdims=True)
    return Var(p, (x,), lambda g: (p * (g - (g * p).sum(axis=-1, keepdims=True)),))


def gelu(x: Var) -> Var:
    """x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): GPT-2's form (Hendrycks and Gimpel 2016)"""
    inner = np.sqrt(2 / np.pi) * (x.data + 0.044715 * x.data**3)
    t = np.tanh(inner)

    def back(g: Array) -> tuple[Array]:
        slope = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x.data**2)
        return (g * (0.5 * (1 + t) + 0.5 * x.data * (1 - t**2) * slope),)

    return Var(0.5 * x.data * (1 + t), (x,), back)


def silu(x: Var) -> Var:
    """x / (1 + exp(-x))"""
    s = 1 / (1 + np.exp(-x.data))
    return Var(x.data * s, (x,), lambda g: (g * s * (1 + x.data * (1 - s)),))


def rotate(x: Var, cosine: Array, sine: Array) -> Var:
    """Neighbours (2i, 2i+1) of x (...,time,head) turned by angles whose cosine and sine are (time,head/2)"""
    def turn(data: Array, sine: Array) -> Array:
        even, odd = data[..., 0::2], data[..., 1::2]
        return np.stack((even * cosine - odd * sine, even * sine + odd * cosine), axis=-1).reshape(data.shape)

    return Var(turn(x.data, sine), (x,), lambda g: (turn(g, -sine),))


# -- what models are judged by ------------------------------------------------------------------------


def cross_entropy(logits: Var, targets: NDArray[np.int64]) -> Var:
    """logits (rows,vocab), targets (rows) -> the mean of -log(probability of the target)"""
    rows = np.arange(len(targets))
    shifted = logits.data - logits.data.max(axis=-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))

    def back(g: Array) -> tuple[Array]:
        found = np.exp(logs)
        found[rows, targets] -= 1
        return (g * found / len(targets),)

    return Var(-logs[rows, targets].mean(), (logits,), back)


def attention(q: Var, k: Var, v: Var) -> Var:
    """Causal: q (...,time,head), k and v (...,time,head) -> (...,time,head) (Vaswani et al. 2017)"""
    time, head = q.shape[-2:]
    axes = tuple(range(len(k.shape) - 2))
    scores = scale(q @ transpose(k, (*axes, len(axes) + 1, len(axes))), head**-0.5)
    future = Var(np.where(np.arange(time)[:, None] < np.arange(time), -1e30, 0.0))
    return softmax(scores + future) @ v
