"""The tensors of a folder: model.safetensors, or several files and their index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from model.huggingface import HEAD, Place, places
from model.importing.reading import AGAIN, read_json
from model.program import InputError
from model.shapes import GptShape, Shape

ONE, INDEX = "model.safetensors", "model.safetensors.index.json"
KINDS = ("F32", "F16", "BF16")
FILES = 1000
_UNUSED = re.compile(r"(.*\.)?(attn\.bias|attn\.masked_bias|rotary_emb\.inv_freq)")  # what older versions wrote too


def read(folder: Path, shape: Shape) -> dict[str, Tensor]:
    """By our names, of the types that they have there. InputError where they are not just those of the shape."""
    wanted = _named(folder, shape)
    state: dict[str, Tensor] = {}
    for path, names in _files(folder, set(wanted)).items():
        for name, tensor in _tensors(path, {name: wanted[name] for name in names}):
            state[wanted[name].ours] = tensor
    if isinstance(shape, GptShape) and not shape.qkv_bias:
        for i in range(shape.layers):
            if state.pop(f"layers.{i}.qkv.bias").any():
                raise InputError(f"{folder}/config.json: qkv_bias is false, and layer {i} has such biases", AGAIN)
    return state


def _named(folder: Path, shape: Shape) -> dict[str, Place]:
    """By their names in this folder: GPT-2's first folders have them without `transformer.`."""
    there = _names(folder)
    if shape.layers > len(there):
        raise InputError(f"{folder} has {len(there):,} tensors, config.json {shape.layers:,} layers",
                         "config.json and weights do not belong together, or the folder is not whole")
    short = isinstance(shape, GptShape) and not any(name.startswith("transformer.") for name in there)
    found = {place.theirs.removeprefix("transformer.") if short else place.theirs: place for place in places(shape)}
    for name in found:
        if name not in there:
            hint = "config.json and weights do not belong together, or the folder is not whole"
            if name == HEAD:
                hint = f"tie_word_embeddings: true in config.json says that the token table is the head; or {AGAIN}"
            raise InputError(f"{folder} lacks the tensor {name}", hint)
    for name in sorted(there - found.keys()):
        if not _UNUSED.fullmatch(name) and name != HEAD:
            raise InputError(f"{folder} has the tensor {name[:80]}, of which config.json says nothing",
                             "this is another architecture than its name says: it cannot be imported")
    return found


def _map(folder: Path) -> dict[str, str] | None:
    """Tensor -> file, where there is an index."""
    if (folder / ONE).is_file() or not (folder / INDEX).is_file():
        return None
    found = read_json(folder / INDEX).get("weight_map")
    if not isinstance(found, dict) or not found or not all(isinstance(file, str) for file in found.values()):
        raise InputError(f"{folder / INDEX} has no weight_map of tensors and their files", AGAIN)
    for file in set(found.values()):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors", file):
            raise InputError(f"{folder / INDEX} names the file {file[:60]!r}", "its files are .safetensors beside it")
    if len(set(found.values())) > FILES:
        raise InputError(f"{folder / INDEX} names more than {FILES} files", AGAIN)
    return found


def _names(folder: Path) -> set[str]:
    index = _map(folder)
    if index is not None:
        return set(index)
    if not (folder / ONE).is_file():
        if any(folder.glob("*.bin")):
            raise InputError(f"{folder} has its weights as .bin: code that reading them would run",
                             "save them as safetensors: transformers' save_pretrained does")
        raise InputError(f"{folder} has neither {ONE} nor {INDEX}", AGAIN)
    with _opened(folder / ONE) as file:
        return set(file.keys())


def _files(folder: Path, names: set[str]) -> dict[Path, list[str]]:
    """Which of these tensors each file holds."""
    index = _map(folder) or dict.fromkeys(names, ONE)
    found: dict[Path, list[str]] = {}
    for name in sorted(names):
        found.setdefault(folder / index[name], []).append(name)
    return found


def _opened(path: Path) -> Any:
    """The library checks its header, and that every tensor lies inside the file."""
    if not path.is_file():
        raise InputError(f"there is no {path}", f"the index names it: {AGAIN}")
    try:
        return safe_open(path, "pt")
    except (SafetensorError, ValueError) as error:
        raise InputError(f"{path} is no safetensors file: {error}", AGAIN) from None


def _tensors(path: Path, wanted: dict[str, Place]) -> Iterator[tuple[str, Tensor]]:
    with _opened(path) as file:
        there = set(file.keys())
        for name, place in wanted.items():
            if name not in there:
                raise InputError(f"{path} lacks the tensor {name}, which its index says it has", AGAIN)
            about = file.get_slice(name)
            size, kind = tuple(about.get_shape()), str(about.get_dtype())
            if kind not in KINDS:
                raise InputError(f"{path}: {name} is of the type {kind}", f"{', '.join(KINDS)} can be imported")
            if size != place.size:
                raise InputError(f"{path}: {name} is {size} where config.json asks for {place.size}", AGAIN)
            tensor = file.get_tensor(name)
            if not torch.isfinite(tensor).all():
                raise InputError(f"{path}: {name} has a value that is not a finite number", AGAIN)
            yield name, place.to_ours(tensor)
