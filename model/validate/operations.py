"""Every operation of model/reference/ with arrays to try it on, what PyTorch has for it, and finite differences.

PyTorch is handed in: the table itself needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.reference import tape as t
from model.reference.models import heads, together
from model.reference.tape import Array, Var

H = 1e-5
ANGLES = np.arange(6.0).reshape(3, 2)
IDS = np.array([[0, 2, 2], [1, 0, 2]])
TARGETS = np.array([1, 0, 3])
_random = np.random.default_rng(1)


def r(*shape: int) -> Array:
    """Normal numbers."""
    return _random.standard_normal(shape)


@dataclass(frozen=True)
class Case:
    """`operation` of the reference, `peer` the same in PyTorch (called with the module torch first)."""

    operation: Callable[..., Var]
    peer: Callable[..., Any]
    arrays: tuple[Array, ...]


def _turned(torch: Any, x: Any) -> Any:
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * torch.exp(1j * torch.tensor(ANGLES))).flatten(-2)


def _attention(torch: Any, q: Any, k: Any, v: Any) -> Any:
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)


def _two_heads(torch: Any, q: Any, k: Any, v: Any) -> Any:
    split = (x.unflatten(-1, (2, -1)).transpose(1, 2) for x in (q, k, v))
    return _attention(torch, *split).transpose(1, 2).flatten(2)


CASES: dict[str, Case] = {
    "add": Case(t.add, lambda torch, a, b: a + b, (r(3, 4), r(4))),
    "subtract": Case(t.subtract, lambda torch, a, b: a - b, (r(3, 1), r(1, 4))),
    "multiply": Case(t.multiply, lambda torch, a, b: a * b, (r(2, 3, 4), r(3, 1))),
    "divide": Case(t.divide, lambda torch, a, b: a / b, (r(3, 4), r(4) ** 2 + 1)),
    "scale": Case(lambda a: t.scale(a, -2.5), lambda torch, a: -2.5 * a, (r(3, 4),)),
    "total": Case(t.total, lambda torch, a: a.sum(), (r(3, 4),)),
    "reshape": Case(lambda a: t.reshape(a, (4, 3)), lambda torch, a: a.reshape(4, 3), (r(3, 4),)),
    "transpose": Case(lambda a: t.transpose(a, (2, 0, 1)), lambda torch, a: a.permute(2, 0, 1), (r(2, 3, 4),)),
    "repeat": Case(lambda a: t.repeat(a, 3, 1), lambda torch, a: a.repeat_interleave(3, 1), (r(2, 2, 3),)),
    "matmul": Case(t.matmul, lambda torch, a, b: a @ b, (r(3, 4), r(4, 5))),
    "batched matmul": Case(t.matmul, lambda torch, a, b: a @ b, (r(2, 3, 4), r(2, 4, 5))),
    "matmul of one and many": Case(t.matmul, lambda torch, a, b: a @ b, (r(2, 3, 4), r(4, 5))),
    "linear": Case(t.linear, lambda torch, *of: torch.nn.functional.linear(*of), (r(2, 3, 4), r(5, 4), r(5))),
    "embedding": Case(lambda a: t.embedding(a, IDS),
                      lambda torch, a: torch.nn.functional.embedding(torch.tensor(IDS), a), (r(4, 3),)),
    "layer_norm": Case(t.layer_norm, lambda torch, x, w, b: torch.nn.functional.layer_norm(x, (8,), w, b),
                       (r(2, 3, 8), r(8), r(8))),
    "rms_norm": Case(t.rms_norm, lambda torch, x, w: torch.nn.functional.rms_norm(x, (8,), w, 1e-5),
                     (r(2, 3, 8), r(8))),
    "softmax": Case(t.softmax, lambda torch, a: a.softmax(-1), (r(3, 5),)),
    "gelu": Case(t.gelu, lambda torch, a: torch.nn.functional.gelu(a, approximate="tanh"), (r(3, 5),)),
    "silu": Case(t.silu, lambda torch, a: torch.nn.functional.silu(a), (r(3, 5),)),
    "rotate": Case(lambda a: t.rotate(a, np.cos(ANGLES), np.sin(ANGLES)), _turned, (r(2, 3, 4),)),
    "cross_entropy": Case(lambda a: t.cross_entropy(a, TARGETS),
                          lambda torch, a: torch.nn.functional.cross_entropy(a, torch.tensor(TARGETS)), (r(3, 5),)),
    "attention": Case(t.attention, _attention, (r(2, 1, 4, 3), r(2, 1, 4, 3), r(2, 1, 4, 3))),
    "multi-head attention": Case(lambda *of: together(t.attention(*(heads(x, 2) for x in of))), _two_heads,
                                 (r(2, 4, 6), r(2, 4, 6), r(2, 4, 6))),
    "grouped attention": Case(lambda q, k, v: t.attention(q, t.repeat(k, 2, 1), t.repeat(v, 2, 1)), _attention,
                              (r(2, 4, 3, 2), r(2, 2, 3, 2), r(2, 2, 3, 2))),
}


def relative(found: Array, wanted: Array) -> float:
    """The largest difference, in parts of the largest number that is wanted."""
    return float(np.abs(found - wanted).max() / max(float(np.abs(wanted).max()), 1e-30))


def weighed(case: Case, inputs: Sequence[Var]) -> tuple[Var, Array]:
    """The result as one number, each element by a weight of its own, and those weights."""
    out = case.operation(*inputs)
    weight = np.random.default_rng(2).standard_normal(out.shape)
    return t.total(out * Var(weight)), weight


def finite(loss: Callable[[], Var], var: Var, places: Sequence[tuple[int, ...]]) -> Array:
    """The loss's derivative by some elements of `var`, as central differences."""
    found = []
    for at in places:
        kept = var.data[at]
        var.data[at] = kept + H
        up = float(loss().data)
        var.data[at] = kept - H
        down = float(loss().data)
        var.data[at] = kept
        found.append((up - down) / (2 * H))
    return np.array(found)


def from_differences(case: Case) -> float:
    """How far the reference's gradients are from finite differences: the worst of its inputs."""
    inputs = [Var(array.copy()) for array in case.arrays]
    weighed(case, inputs)[0].backward()
    return max(relative(var.grad.ravel(), finite(lambda: weighed(case, inputs)[0], var, list(np.ndindex(var.shape))))
               for var in inputs)
