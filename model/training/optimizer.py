"""AdamW over a model's parameters, and its state as named tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.program import InputError
from model.training.options import Options

PREFIX = "optimizer."


def adamw(model: nn.Module, options: Options) -> torch.optim.AdamW:
    """Matrices decay, vectors do not (as GPT-3 was trained)."""
    every = list(model.parameters())
    groups = [{"params": [p for p in every if p.ndim >= 2], "weight_decay": options.decay},
              {"params": [p for p in every if p.ndim < 2], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=options.lr, betas=(options.beta1, options.beta2), fused=True)


def state(optimizer: torch.optim.AdamW) -> dict[str, Tensor]:
    """For a checkpoint: step and moments of each parameter, by its number."""
    found = optimizer.state_dict()["state"]
    return {f"{PREFIX}{i}.{name}": value.cpu() for i, one in found.items() for name, value in one.items()}


def restore(optimizer: torch.optim.AdamW, tensors: dict[str, Tensor]) -> None:
    """What `state` gave. InputError where it belongs to another model."""
    found: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, _, what = name.removeprefix(PREFIX).partition(".")
        if not name.startswith(PREFIX) or not number.isdecimal():
            raise InputError(f"a checkpoint with {name}", "it is damaged: begin anew without it")
        found.setdefault(int(number), {})[what] = value
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    wanted = {"step", "exp_avg", "exp_avg_sq"}
    if found.keys() != set(range(len(parameters))) or any(one.keys() != wanted for one in found.values()) or any(
            found[i]["exp_avg"].shape != p.shape or found[i]["exp_avg_sq"].shape != p.shape
            for i, p in enumerate(parameters)):
        raise InputError("a checkpoint whose optimizer belongs to another model", "begin anew without it")
    optimizer.load_state_dict({"state": found, "param_groups": optimizer.state_dict()["param_groups"]})
