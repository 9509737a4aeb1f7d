"""Every operation's derivative beside finite differences (beside PyTorch: tests/ml/test_validate.py)."""

from __future__ import annotations

import numpy as np
import pytest

from model.reference import tape as t
from model.reference.tape import Var
from model.validate.operations import CASES, Case, from_differences


@pytest.mark.parametrize("name", CASES)
def test_derivative(name: str) -> None:
    assert from_differences(CASES[name]) < 1e-7


def test_a_wrong_derivative_is_seen() -> None:
    wrong = Case(lambda a: Var(a.data**2, (a,), lambda g: (g * 2.01 * a.data,)), None, (np.array([1.0, 2.0]),))
    assert from_differences(wrong) > 1e-3


def test_a_value_that_is_used_twice_has_both_gradients() -> None:
    a = Var([2.0])
    t.total(a * a + a).backward()
    assert a.grad.tolist() == [5.0]
