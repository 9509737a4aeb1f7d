"""The NumPy models beside PyTorch's: logits, losses and gradients of every parameter, in float64."""

from __future__ import annotations

import numpy as np
import pytest
from torch.nn import functional as F

from model.reference import models
from model.reference.tape import cross_entropy, reshape
from model.shapes import Shape
from model.validate.gradients import SHAPES, drawn


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_three_derivations_one_answer(shape: Shape) -> None:
    model, inputs, targets, weights = drawn(shape)
    logits = models.logits(shape, weights, inputs.numpy())
    assert np.abs(logits.data - model(inputs).detach().numpy()).max() < 1e-12
    loss = cross_entropy(reshape(logits, (-1, shape.vocab)), targets.numpy().ravel())
    loss.backward()
    wanted = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
    wanted.backward()
    assert float(loss.data) == pytest.approx(float(wanted.detach()), abs=1e-12)
    for name, part in model.named_parameters():
        assert part.grad is not None
        assert np.abs(weights[name].grad - part.grad.numpy()).max() < 1e-10, name
