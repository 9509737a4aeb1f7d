"""model=FILE: a model of the user's own, in the place of one that a recipe trains."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import UserError
from toolchain.files import from_user
from toolchain.plugin import Session

VARIABLES = {
    "model": "a model file to use instead of an image's: GGUF, or llama2.c's",
    "tokenizer": "the tokenizer of a llama2.c file (default: tokenizer.bin beside it)",
}

# Commands that are about an image which a recipe describes.
FOR_RECIPES = ("bench", "flash", "lock", "plots", "release", "reproduce", "test", "verify")

LLAMA2C_V2 = b"24ka"
LLAMA2C_HEADER = struct.Struct("<7i")
KINDS = "the engine reads GGUF (llama, gpt2; F32, F16, Q8_0, Q4_0) and llama2.c files"


@dataclass(frozen=True)
class OwnModel:
    """The files of one model, which are there and look like one."""

    name: str  # of its image, too
    model: Path
    tokenizer: Path | None  # of a llama2.c file, which holds none

    @property
    def image(self) -> str:
        """Its folder in build/, apart from those of recipes."""
        return f"models/{self.name}"

    @property
    def files(self) -> dict[str, str]:
        """Name on the disk, which says the kind (efi_src/uefi/model_file.h) -> file."""
        if self.tokenizer is None:
            return {"model.gguf": str(self.model)}
        return {"model.bin": str(self.model), "tokenizer.bin": str(self.tokenizer)}

    def check_disk(self) -> None:
        """Raises UserError for files that no disk of ours can hold; before anything is copied."""
        from toolchain.image import FAT32_FILE

        for file in self.files.values():
            size = os.stat(file).st_size
            if size > FAT32_FILE:
                raise UserError(f"{file} has {size:,} bytes; a file on a boot disk (FAT32) has at most 4 GiB - 1",
                                "split it, or choose a smaller type of its weights (Q8_0); generate takes it as it is")


def own_model(current: Session) -> OwnModel | None:
    """What model= and tokenizer= name; None without them. Raises UserError where that is no model."""
    given = current.given
    if "model" not in given:
        if "tokenizer" in given:
            raise UserError("tokenizer= is given without model=", "it belongs to a llama2.c file: model=FILE")
        return None
    if current.command in FOR_RECIPES:
        raise UserError(f"{current.command} takes no model=", "boot and generate do")
    if "image" in given:
        raise UserError("both image= and model= are given", "image= names a recipe, model= a file: use one")
    model = _file("model", given)
    tokenizer = _tokenizer(model, given)
    name = re.sub(r"[^A-Za-z0-9_-]", "-", model.stem).lstrip("-")[:60]
    return OwnModel(name or "model", model, tokenizer)


def _file(variable: str, given: Mapping[str, str]) -> Path:
    if "," in given[variable] and not from_user(given[variable]).exists():
        raise UserError(f"{variable}={given[variable]} names several files", "give one")
    path = Path(os.path.abspath(from_user(given[variable])))
    if not path.exists():
        raise UserError(f"{variable}={given[variable]}: there is no file {path}",
                        "give the path of a file that is on this machine")
    if not path.is_file():
        raise UserError(f"{variable}={given[variable]} is not a file", "give the path of the file itself")
    return path


def _tokenizer(model: Path, given: Mapping[str, str]) -> Path | None:
    """A llama2.c file's; None for a GGUF, which holds its own."""
    if _is_gguf(model):
        if "tokenizer" in given:
            raise UserError(f"{model} is a GGUF file, which holds its tokenizer", "leave tokenizer= out")
        return None
    if "tokenizer" in given:
        return _file("tokenizer", given)
    beside = model.with_name("tokenizer.bin")
    if not beside.is_file():
        raise UserError(f"{model} is a llama2.c file, which needs its tokenizer; there is no {beside}",
                        "give it: tokenizer=FILE")
    return beside


def _is_gguf(model: Path) -> bool:
    """Whether it is that, or else a llama2.c file; UserError for what is neither by its first bytes."""
    try:
        with model.open("rb") as file:
            head = file.read(LLAMA2C_HEADER.size)
    except OSError as exc:
        raise UserError(f"{model} cannot be read: {exc.strerror}", "check who may read it") from None
    if head[:4] == b"GGUF":
        return True
    if head[:4] == LLAMA2C_V2:
        return False
    if len(head) == LLAMA2C_HEADER.size:
        width, hidden, layers, heads, kv_heads, vocab, context = LLAMA2C_HEADER.unpack(head)
        least = min(width, hidden, layers, heads, kv_heads, abs(vocab), context)
        if least > 0 and layers <= 1024 and width % heads == 0 and heads % kv_heads == 0:
            return False
    raise UserError(f"{model} is no model: neither a GGUF nor a llama2.c file", KINDS)
