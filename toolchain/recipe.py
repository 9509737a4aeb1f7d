"""The recipe: images/NAME.yaml, one image from corpus to boot, or from published weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolchain.errors import UserError
from toolchain.learning import CORPUS, learning
from toolchain.learning import LEARNING as LEARNING
from toolchain.learning import Learning as Learning
from toolchain.pinned import SCHEMA as PINNED
from toolchain.pinned import Pinned, pinned
from toolchain.schema import Field, Schema, load

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}"  # of a recipe, so of an image and of its files: no dot, which ends a name


@dataclass(frozen=True)
class Dataset:
    """Where the text comes from: a generator of this project, or a pinned download."""

    generator: str | None
    seed: int
    bytes: int
    file: str | None
    urls: tuple[str, ...]
    sha256: str | None
    size: int | None


@dataclass(frozen=True)
class Model:
    """The shape of the network."""

    architecture: str
    layers: int
    heads: int
    width: int
    context: int


@dataclass(frozen=True)
class Train:
    """How it is trained."""

    steps: int
    batch: int
    learning_rate: float
    warmup: int
    weight_decay: float
    seed: int
    log_every: int
    evaluate_every: int
    sample_every: int


@dataclass(frozen=True)
class Training:
    """A model that learns here, in the C trainer."""

    dataset: Dataset
    tokenizer: str
    split: float
    model: Model
    train: Train
    link_model: bool  # into the EFI program; false: a file beside it, which the program checks by its sha256


@dataclass(frozen=True)
class Published:
    """A model that somebody else has trained: a GGUF, or a llama2.c file and its tokenizer."""

    model: Pinned
    tokenizer: Pinned | None

    @property
    def files(self) -> dict[str, Pinned]:
        """Name on the disk, and in build/NAME -> file."""
        if self.tokenizer is None:
            return {"model.gguf": self.model}
        return {"model.bin": self.model, "tokenizer.bin": self.tokenizer}


@dataclass(frozen=True)
class Recipe:
    """A whole recipe, checked."""

    name: str
    title: str
    source: Training | Learning | Published


_MODEL: Schema = {
    "architecture": Field(str, choices=("gpt2",)),
    "layers": Field(int, least=1, most=64),
    "heads": Field(int, least=1, most=256),
    "width": Field(int, least=8, most=4096),
    "context": Field(int, least=8, most=8192),
}
_TRAIN: Schema = {
    "steps": Field(int, least=1, most=10_000_000),
    "batch": Field(int, least=1, most=4096),
    "learning_rate": Field(float, 0.003, 1e-8, 1.0),
    "warmup": Field(int, 100, 0),
    "weight_decay": Field(float, 0.1, 0.0, 10.0),
    "seed": Field(int, 1, 0, 2**63 - 1),
    "log_every": Field(int, 10, 1),
    "evaluate_every": Field(int, 500, 1),
    "sample_every": Field(int, 1000, 1),
}
TRAINING: Schema = {
    "title": Field(str),
    "dataset": Field(CORPUS),
    "tokenizer": Field(str, "bytes", choices=("bytes",)),
    "split": Field(float, 0.9, 0.01, 0.99),
    "model": Field(_MODEL),
    "train": Field(_TRAIN),
    "link_model": Field(bool, True),
}
PUBLISHED: Schema = {
    "title": Field(str),
    "model": Field(PINNED),
    "tokenizer": Field(PINNED, optional=True),
}


def _kind(keys: Mapping[str, frozenset[str]]) -> Schema:
    """A recipe whose model is a file, and that has nothing to train it with, is of a published one; one with a
    preset learns in PyTorch."""
    if "preset" in keys.get("model", ()):
        return LEARNING
    published = "file" in keys.get("model", ()) and not keys.keys() & {"dataset", "train"}
    return PUBLISHED if published else TRAINING


def read(root: Path, name: str) -> Recipe:
    """The recipe images/NAME.yaml; UserError with file, line and hint where it is wrong."""
    path = Path("images") / f"{name}.yaml"
    if not re.fullmatch(NAME, name):
        raise UserError(f"image={name} is not the name of a recipe",
                        "it is the NAME of a file images/NAME.yaml: letters, digits, - and _, at most 61")
    raw = load(root / path if root != Path.cwd() else path, _kind)
    make = _published if "train" not in raw else learning if "preset" in raw["model"] else _training
    return Recipe(name, raw["title"], make(path, raw))


def _training(path: Path, raw: dict[str, Any]) -> Training:
    dataset, model = raw["dataset"], raw["model"]
    if (dataset["generator"] is None) == (dataset["sha256"] is None):
        raise UserError(f"{path}: dataset must have either generator or sha256",
                        "generator: tales, or file, urls and sha256 of a download")
    if dataset["sha256"] is not None and dataset["file"] is None:
        raise UserError(f"{path}: dataset.file is missing", "it is the name of the file that is downloaded")
    if dataset["sha256"] is not None and dataset["size"] is None:
        raise UserError(f"{path}: dataset.size is missing", "it is the file's size in bytes: no more is ever fetched")
    if model["width"] % model["heads"]:
        raise UserError(f"{path}: model.width {model['width']} is not a multiple of model.heads {model['heads']}",
                        "each head takes width / heads values")
    return Training(Dataset(**{**dataset, "urls": tuple(dataset["urls"])}), raw["tokenizer"], raw["split"],
                    Model(**model), Train(**raw["train"]), raw["link_model"])


def _published(path: Path, raw: dict[str, Any]) -> Published:
    model, tokenizer = (raw[key] and pinned(raw[key]) for key in ("model", "tokenizer"))
    gguf = model.file.endswith(".gguf")
    if gguf and tokenizer is not None:
        raise UserError(f"{path}: {model.file} is a GGUF file, which holds its tokenizer", "leave tokenizer out")
    if not gguf and tokenizer is None:
        raise UserError(f"{path}: tokenizer is missing",
                        f"{model.file} is no .gguf, so a llama2.c file: file, urls, sha256 and size of its tokenizer")
    return Published(model, tokenizer)
