"""Where a model is trained, and what that place can do."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch

from model.program import InputError

NAMES = ("auto", "cuda", "mps", "cpu")


def device(wanted: str) -> torch.device:
    """auto: the fastest there is. InputError for one that is not here."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, here in there.items() if here))
    if wanted not in there:
        raise InputError(f"device={wanted} is no device", f"it is one of {', '.join(NAMES)}")
    if not there[wanted]:
        raise InputError(f"device={wanted}: this machine has none that PyTorch can use", "device=cpu always works")
    return torch.device(wanted)


def autocast(where: torch.device, bf16: bool) -> AbstractContextManager[object]:
    """Products in bfloat16, where that is wished for."""
    return torch.autocast(where.type, torch.bfloat16) if bf16 else contextlib.nullcontext()


def to_device(array: object, where: torch.device) -> torch.Tensor:
    """A NumPy array there; pinned on its way to a GPU, so that the copy goes on beside the work."""
    tensor = torch.as_tensor(array)
    if where.type == "cuda":
        return tensor.pin_memory().to(where, non_blocking=True)
    return tensor.to(where)
