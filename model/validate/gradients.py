"""Derivatives three ways: by hand (model/reference/), by finite differences, and by PyTorch; all in float64."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from model.architectures import Model, make
from model.reference import models
from model.reference.tape import Var, cross_entropy, reshape
from model.shapes import GptShape, LlamaShape, Shape
from model.validate.goals import Result, Tell
from model.validate.operations import CASES, Case, finite, from_differences, relative, weighed

SHAPES: dict[str, Shape] = {
    "GPT-2": GptShape(vocab=17, context=6, layers=2, heads=2, width=8),
    "GPT-2, untied, no qkv bias": GptShape(vocab=17, context=6, layers=1, heads=4, width=8, tied=False,
                                           qkv_bias=False),
    "Llama, grouped": LlamaShape(vocab=17, context=6, layers=2, heads=4, kv_heads=2, width=16, hidden=20),
    "Llama, untied": LlamaShape(vocab=17, context=6, layers=1, heads=2, kv_heads=2, width=8, hidden=12, tied=False),
}
FROM_DIFFERENCES, FROM_TORCH = 1e-6, 1e-10
PLACES = 8  # of each tensor of a model, for finite differences


def from_torch(case: Case) -> float:
    """How far an operation of the reference is from PyTorch's: value and gradients, the worst of them."""
    inputs = [Var(array.copy()) for array in case.arrays]
    loss, weight = weighed(case, inputs)
    loss.backward()
    tensors = [torch.tensor(array, requires_grad=True) for array in case.arrays]
    out = case.peer(torch, *tensors)
    (out * torch.tensor(weight)).sum().backward()
    value = relative(case.operation(*inputs).data, out.detach().numpy())
    return max(value, *(relative(var.grad, tensor.grad.numpy()) for var, tensor in zip(inputs, tensors, strict=True)))


def drawn(shape: Shape) -> tuple[Model, Tensor, Tensor, dict[str, Var]]:
    """A random model in float64, inputs and targets (3, context), and its weights once more for model/reference."""
    torch.manual_seed(5)
    model = make(shape).double().eval()
    with torch.no_grad():
        for part in model.parameters():
            part.add_(torch.randn_like(part) * 0.3)
    tokens = torch.randint(shape.vocab, (3, shape.context + 1))
    weights = {name: Var(part.detach().numpy().copy()) for name, part in model.named_parameters()}
    return model, tokens[:, :-1], tokens[:, 1:], weights


def of_model(shape: Shape) -> tuple[float, float]:
    """The same of a whole model, by every parameter: from finite differences at PLACES of each, and from PyTorch."""
    model, inputs, targets, weights = drawn(shape)

    def loss() -> Var:
        logits = models.logits(shape, weights, inputs.numpy())
        return cross_entropy(reshape(logits, (-1, shape.vocab)), targets.numpy().ravel())

    first = loss()
    first.backward()
    wanted = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
    wanted.backward()
    by_torch = [abs(float(first.data) / float(wanted.detach()) - 1)]
    by_difference = []
    draw = np.random.default_rng(3)
    for name, part in model.named_parameters():
        var, kept = weights[name], weights[name].grad
        by_torch.append(relative(kept, part.grad.numpy()))
        at = [tuple(int(draw.integers(n)) for n in var.shape) for _ in range(PLACES)]
        found = finite(loss, var, at)
        by_difference.append(float(np.abs(found - [kept[place] for place in at]).max() / np.abs(kept).max()))
    return max(by_difference), max(by_torch)


def measure(tell: Tell) -> Result:
    """All operations, then the models."""
    found: dict[str, tuple[float, float]] = {}
    every = len(CASES) + len(SHAPES)
    for name, case in CASES.items():
        found[name] = from_differences(case), from_torch(case)
        tell(len(found), every, name)
    for name, shape in SHAPES.items():
        found[name] = of_model(shape)
        tell(len(found), every, name)
    worst = [max(found.items(), key=lambda one: one[1][i]) for i in (0, 1)]
    numbers = [one[1][i] for i, one in enumerate(worst)]
    return Result(
        f"{numbers[0]:.1e} from finite differences ({worst[0][0]}), {numbers[1]:.1e} from PyTorch ({worst[1][0]}), "
        f"worst of {every}", numbers[0] <= FROM_DIFFERENCES and numbers[1] <= FROM_TORCH,
        said=tuple(f"{name}: {a:.1e} from finite differences, {b:.1e} from PyTorch" for name, (a, b) in found.items()))
