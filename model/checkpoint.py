"""A model and all that belongs to it in one file: safetensors, whose metadata hold a JSON object.

Weights are named `model.NAME`, as in the state dict of model/architectures; whatever else training keeps (optimizer,
random numbers) has names of its own. A file that is only run needs the weights alone. Nothing in it is code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from model.architectures import Model, make
from model.program import InputError, write_file
from model.shapes import Shape, from_json, to_json

FORMAT = "ingot-1"
PREFIX = "model."
_HEAD = PREFIX + "head.weight"  # of a tied head: the token table, which is kept once


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds, checked against its shape."""

    shape: Shape
    tokenizer: str  # as model.tokenizers.load takes it
    weights: dict[str, Tensor]  # state dict of the model
    rest: dict[str, Tensor]
    meta: dict[str, Any]  # whatever else its writer says

    @property
    def chat_template(self) -> str | None:
        """Of an imported model: how it wants to be talked to."""
        found = self.meta.get("chat_template")
        return found if isinstance(found, str) else None

    def model(self, device: str = "cpu") -> Model:
        """In evaluation mode."""
        model = make(self.shape)
        model.load_state_dict(self.weights)
        return model.to(device).eval()


def write(path: Path, model: Model, tokenizer: str, meta: dict[str, Any] | None = None,
          rest: dict[str, Tensor] | None = None) -> None:
    """The whole file, or nothing. Weights are written as they are (dtype), and the same model gives the same bytes."""
    write_state(path, model.shape, model.state_dict(), tokenizer, meta, rest)


def write_state(path: Path, shape: Shape, weights: Mapping[str, Tensor], tokenizer: str,
                meta: dict[str, Any] | None = None, rest: dict[str, Tensor] | None = None) -> None:
    """The same, of a state dict."""
    state = {PREFIX + name: value.detach().cpu().contiguous() for name, value in weights.items()}
    if shape.tied:
        state.pop(_HEAD, None)
    about = {"shape": to_json(shape), "tokenizer": tokenizer, "meta": meta or {}}
    text = json.dumps(about, sort_keys=True, allow_nan=False)
    save_tensors(path, {**state, **(rest or {})}, {FORMAT: text})


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """A safetensors file, whole or not there. One key of metadata: the library writes many in any order."""
    write_file(path, save(tensors, metadata))


def read(path: Path) -> Checkpoint:
    """Raises InputError for what is no such file, or whose weights do not fit its shape."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = json.loads(metadata.get(FORMAT, "null"))
    except FileNotFoundError:
        raise InputError(f"there is no file {path}", "train a model first, or give another path") from None
    except (SafetensorError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is no checkpoint: {error}", "train again to make a new one") from None
    if not isinstance(about, dict) or about.keys() != {"shape", "tokenizer", "meta"} or \
            not isinstance(about["meta"], dict):
        raise InputError(f"{path} is a safetensors file that ingot did not write",
                         "a Hugging Face folder is imported by: python3 -m model.importing")
    shape = from_json(about["shape"])
    weights = {name[len(PREFIX):]: found.pop(name) for name in list(found) if name.startswith(PREFIX)}
    if shape.tied and "token.weight" in weights:
        weights["head.weight"] = weights["token.weight"]
    with torch.device("meta"):
        wanted = {name: value.shape for name, value in make(shape).state_dict().items()}
    for name in sorted(wanted.keys() ^ weights.keys()):
        raise InputError(f"{path} {'lacks' if name in wanted else 'has too'} the tensor {name}",
                         "it does not belong to the shape that the file names: train again")
    for name, size in wanted.items():
        if weights[name].shape != size or not weights[name].is_floating_point():
            raise InputError(f"{path}: {name} is {tuple(weights[name].shape)} where its shape asks for {tuple(size)}",
                             "the file is damaged: train again")
    return Checkpoint(shape, str(about["tokenizer"]), weights, found, about["meta"])
