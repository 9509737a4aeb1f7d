"""model=FILE[,FILE…]: models of the user's own, in the place of one that a recipe trains."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import UserError
from toolchain.files import from_user
from toolchain.plugin import Session

VARIABLES = {
    "model": "model files to use instead of an image's, with commas between: GGUF (of one in parts, the first), or "
             "llama2.c's; or folders of Hugging Face's (Llama, GPT-2; safetensors), which become GGUF of the type Q8_0",
    "tokenizer": "the tokenizers of the llama2.c files among them, in their order, or one for all (default: "
                 "tokenizer.bin beside each)",
}

# Commands that are about an image which a recipe describes.
FOR_RECIPES = ("bench", "compare", "flash", "infer", "lock", "plots", "release", "reproduce", "test", "verify")

# Of a folder, beside its weights (model/importing/tokenizer.py).
TOKENIZER = ("tokenizer.model", "tokenizer.json", "vocab.json", "merges.txt", "added_tokens.json",
             "tokenizer_config.json", "chat_template.jinja")
MODELS, PARTS, NAME = 16, 16, 40  # at most, as model/pins.py has them
LLAMA2C_V2 = b"24ka"
LLAMA2C_HEADER = struct.Struct("<7i")
CONFIG = "config.json"  # which makes a folder one of Hugging Face's
KINDS = "the engine reads GGUF (llama, gpt2; F32, F16, Q8_0, Q4_0) and llama2.c files"
SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")
SPLIT = "llama-gguf-split --split --split-max-size 4G FILE NEW (llama.cpp), then give the first part"
SMALLER = "choose a smaller type of its weights (Q8_0), or a GGUF, which can be split"


@dataclass(frozen=True)
class OwnModel:
    """The files of one model, which are there and look like one."""

    name: str  # letters, digits, - and _, at most 40
    parts: tuple[Path, ...]  # a GGUF, whole or in parts; or a llama2.c file
    tokenizer: Path | None  # of a llama2.c file, which holds none
    folder: Path | None = None  # of Hugging Face's: there are no parts yet

    def names(self, stem: str) -> dict[str, Path]:
        """Name on the disk -> file, in the order that efi_src/uefi/library.c expects; `stem` is each model's own.

        None of a folder, whose `stem`.gguf a stage makes.
        """
        if self.tokenizer is not None:
            return {f"{stem}.bin": self.parts[0], f"{stem.replace('model', 'tokenizer')}.bin": self.tokenizer}
        if len(self.parts) < 2:
            return {f"{stem}.gguf": part for part in self.parts}
        return {f"{stem}-{i:05}-of-{len(self.parts):05}.gguf": part for i, part in enumerate(self.parts, 1)}


@dataclass(frozen=True)
class OwnModels:
    """The models of one image."""

    name: str  # of the image
    models: tuple[OwnModel, ...]

    @property
    def image(self) -> str:
        """Its folder in build/, apart from those of recipes."""
        return f"models/{self.name}"

    @property
    def stems(self) -> Iterator[tuple[str, OwnModel]]:
        """What the names of each model's files on the disk begin with, and the model."""
        return (("model" if i == 1 else f"model-{i}", model) for i, model in enumerate(self.models, 1))

    @property
    def files(self) -> dict[str, dict[str, str]]:
        """Model -> its files: name on the disk -> file."""
        return {model.name: {name: str(file) for name, file in model.names(stem).items()} for stem, model in self.stems}

    def check_disk(self) -> None:
        """Raises UserError for files that no disk of ours can hold; before anything is copied."""
        from toolchain.image import FAT32_FILE

        for model in self.models:
            for file in model.parts:
                size = os.stat(file).st_size
                if size > FAT32_FILE:
                    raise UserError(f"{file} has {size:,} bytes; a file on a boot disk (FAT32) has at most 4 GiB - 1",
                                    SMALLER if model.tokenizer else f"split it: {SPLIT}")


def own_model(current: Session) -> OwnModels | None:
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
    files = _files("model", given["model"])
    if len(files) > MODELS:
        raise UserError(f"model= names {len(files)} files", f"an image has at most {MODELS}")
    llama2c = [file for file in files if not file.is_dir() and not _is_gguf(file)]
    tokenizers = iter(_tokenizers(given.get("tokenizer"), llama2c))

    def one(name: str, file: Path) -> OwnModel:
        if file.is_dir():
            return OwnModel(name, (), None, file)
        return OwnModel(name, (file,), next(tokenizers)) if file in llama2c else OwnModel(name, _parts(file), None)

    stems = [_stem(file) for file in files]
    models = tuple(one(name, file) for name, file in zip(_unique(stems), files, strict=True))
    return OwnModels("_".join(stems)[:60], models)


def folder_files(folder: Path) -> dict[str, str]:
    """Name -> file, of all that model.importing reads: weights are one file, or several and their index."""
    weights = ["model.safetensors"] if (folder / "model.safetensors").is_file() else \
        ["model.safetensors.index.json", *(file.name for file in folder.glob("*-of-*.safetensors"))]
    return {name: str(folder / name) for name in (CONFIG, *TOKENIZER, *sorted(weights)) if (folder / name).is_file()}


def _files(variable: str, text: str) -> list[Path]:
    """Those that are named; a comma may be part of a name, too."""
    words = [text] if from_user(text).exists() else text.split(",")
    return [_file(variable, word) for word in words]


def _file(variable: str, text: str) -> Path:
    path = Path(os.path.abspath(from_user(text)))
    if not text or not path.exists():
        raise UserError(f"{variable}={text}: there is no file {path}",
                        "give the path of a file that is on this machine")
    if not path.is_file() and not (variable == "model" and (path / CONFIG).is_file()):
        also = f", or of a folder of Hugging Face's, which has a {CONFIG}" if variable == "model" else ""
        raise UserError(f"{variable}={text} is not a file", f"give the path of the file itself{also}")
    return path


def _stem(model: Path) -> str:
    """Its name, as far as every part of the project can take it."""
    shard = SHARD.fullmatch(model.name)
    name = shard[1] if shard else model.name if model.is_dir() else model.stem
    return re.sub(r"[^A-Za-z0-9_-]", "-", name).lstrip("-") or "model"


def _unique(stems: Sequence[str]) -> list[str]:
    """The stems as names of models, each once."""
    found: list[str] = []
    for stem in stems:
        names = (stem[:NAME] if i == 1 else f"{stem[:NAME - 3]}-{i}" for i in range(1, 2 * MODELS))
        found.append(next(name for name in names if name not in found))
    return found


def _parts(model: Path) -> tuple[Path, ...]:
    """A GGUF and, where it is the first of several, the others."""
    shard = SHARD.fullmatch(model.name)
    if shard is None:
        return (model,)
    stem, number, count = shard[1], int(shard[2]), int(shard[3])
    first = model.with_name(f"{stem}-00001-of-{count:05}.gguf")
    if number != 1:
        raise UserError(f"{model} is part {number} of a model", f"give the first: model={first}")
    if not 1 <= count <= PARTS:
        raise UserError(f"{model} is one of {count} parts", f"a model has at most {PARTS}: split it into larger ones")
    parts = tuple(model.with_name(f"{stem}-{i:05}-of-{count:05}.gguf") for i in range(1, count + 1))
    for part in parts:
        if not part.is_file():
            raise UserError(f"{model} has {count} parts; there is no {part}", "put all parts into one folder")
        if not _is_gguf(part):
            raise UserError(f"{part} is no GGUF file", "fetch it anew")
    return parts


def _tokenizers(given: str | None, models: Sequence[Path]) -> list[Path]:
    """Those of the llama2.c files; a GGUF holds its own."""
    if given is None:
        return [_beside(model) for model in models]
    if not models:
        raise UserError("model= is no llama2.c file: it holds its tokenizer", "leave tokenizer= out")
    files = _files("tokenizer", given)
    if len(files) not in (1, len(models)):
        raise UserError(f"tokenizer= names {len(files)} files, model= {len(models)} of llama2.c",
                        "give one for each, in the same order, or one for all")
    return files * len(models) if len(files) == 1 else files


def _beside(model: Path) -> Path:
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
