"""Recipes whose model learns in PyTorch: those with model.preset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolchain.errors import UserError, meant
from toolchain.pinned import FILE, SHA256, Pinned
from toolchain.schema import Field, Schema

if TYPE_CHECKING:
    from toolchain.plugin import Session

PRESETS = ("nano", "124m", "260k", "15m", "42m", "110m", "260m")  # model/shapes.py
SIZES = ("context", "layers", "heads", "kv_heads", "width", "hidden")
ARCHIVE = ".tar.gz"
TEXTS = (".txt", ".md", ".json")  # model/documents.py
ALSO = ("huggingface", "header")  # what else the weights are written as
FOLDER = ("config.json", "generation_config.json", "model.safetensors")  # of huggingface

_GPT2 = "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/"
GPT2 = (  # the two files of GPT-2's tokenizer, which is one and the same for everybody
    Pinned("gpt2/vocab.bpe", (_GPT2 + "vocab.bpe",), "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
           456_318),
    Pinned("gpt2/encoder.json", (_GPT2 + "encoder.json",),
           "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783", 1_042_301),
)

CORPUS: Schema = {  # of every recipe that learns, by either trainer
    "generator": Field(str, optional=True, choices=("tales",)),
    "seed": Field(int, 1, 0, 2**63 - 1),
    "bytes": Field(int, 4_000_000, 2_000, 1_000_000_000),
    "file": Field(str, optional=True, pattern=FILE),
    "urls": Field("list", ()),
    "sha256": Field(str, optional=True, pattern=SHA256),
    "size": Field(int, optional=True, least=1),
}
_DATASET: Schema = {
    **CORPUS,
    "shards": Field(int, optional=True, least=1, most=1000),
    "text": Field(str, optional=True),
}
_TOKENIZER: Schema = {
    "kind": Field(str, choices=("bytes", "chars", "gpt2", "llama", "bpe")),
    "vocab": Field(int, optional=True, least=260, most=65_536),
    "file": Field(str, optional=True, pattern=FILE),
    "urls": Field("list", ()),
    "sha256": Field(str, optional=True, pattern=SHA256),
    "size": Field(int, optional=True, least=1),
}
_MODEL: Schema = {
    "preset": Field(str, choices=PRESETS),
    **{name: Field(int, optional=True, least=1, most=1 << 20) for name in SIZES},
    "tied": Field(bool, optional=True),
    "qkv_bias": Field(bool, optional=True),
    "dropout": Field(float, optional=True, least=0.0, most=0.9),
}
_TRAIN: Schema = {
    "steps": Field(int, optional=True, least=1, most=10_000_000),
    "epochs": Field(int, optional=True, least=1, most=10_000),
    "stride": Field(int, optional=True, least=1, most=1 << 20),
    "batch": Field(int, least=1, most=4096),
    "accumulate": Field(int, 1, 1, 4096),
    "learning_rate": Field(float, 0.001, 1e-8, 1.0),
    "warmup": Field(int, 100, 0),
    "weight_decay": Field(float, 0.1, 0.0, 10.0),
    "seed": Field(int, 1, 0, 2**31 - 1),
    "log_every": Field(int, 10, 1),
    "evaluate_every": Field(int, 500, 1),
    "sample_every": Field(int, 1000, 1),
    "prompt": Field(str, "Once upon a time"),
    "threads": Field(int, 2, 1, 256),
    "device": Field(str, "cpu", choices=("cpu", "cuda", "mps", "auto")),
    "bf16": Field(bool, False),
    "compile": Field(bool, False),
}
_EXPORT: Schema = {
    "format": Field(str, "gguf", choices=("gguf", "llama2c")),
    "type": Field(str, "F32", choices=("F32", "F16", "Q8_0", "Q4_0")),
    "also": Field("list", ()),
}
LEARNING: Schema = {
    "title": Field(str),
    "dataset": Field(_DATASET),
    "tokenizer": Field(_TOKENIZER),
    "model": Field(_MODEL),
    "train": Field(_TRAIN),
    "export": Field(_EXPORT, optional=True),
    "link_model": Field(bool, False),
}


@dataclass(frozen=True)
class Texts:
    """What it learns from: stories made up here, a download (a text, or an archive of shards), or the user's files."""

    generator: str | None
    seed: int
    bytes: int
    file: str | None
    urls: tuple[str, ...]
    sha256: str | None
    size: int | None
    shards: int | None  # of an archive: the first so many of its texts
    text: str | None


@dataclass(frozen=True)
class Tokenizer:
    """How text becomes numbers."""

    kind: str
    vocab: int | None  # of a bpe
    files: tuple[Pinned, ...]  # that it is made from


@dataclass(frozen=True)
class Export:
    """The file that is booted, and others for other programs."""

    format: str
    type: str  # of its matrices
    also: tuple[str, ...]

    @property
    def files(self) -> dict[str, tuple[str, ...]]:
        """Name on the disk, and in build/NAME -> the words that have model.export.checkpoint write it."""
        if self.format == "gguf":
            return {"model.gguf": ("--gguf", "model.gguf", "--type", self.type)}
        return {"model.bin": ("--llama2c", "model.bin", "--version", "2" if self.type == "Q8_0" else "0"),
                "tokenizer.bin": ("--tokenizer-bin", "tokenizer.bin")}


@dataclass(frozen=True)
class Learning:
    """A model that learns here, in PyTorch. `train`: the words of model.train's command line, but for files."""

    dataset: Texts
    tokenizer: Tokenizer
    train: tuple[str, ...]
    threads: int
    export: Export
    link_model: bool

    @property
    def files(self) -> dict[str, tuple[str, ...]]:
        """Those of the model, on the disk and in build/NAME."""
        return self.export.files

    @property
    def others(self) -> tuple[list[str], list[str]]:
        """Files in build/NAME alone, and the words that have model.export.checkpoint write them."""
        files, words = [], []
        if "huggingface" in self.export.also:
            words += ["--huggingface", "huggingface"]
            tokenizer = () if self.tokenizer.kind == "chars" else ("tokenizer.json", "tokenizer_config.json")
            files += [f"huggingface/{name}" for name in (*FOLDER, *tokenizer)]
        if "header" in self.export.also:
            words += ["--header", "model.h"]
            files.append("model.h")
        return files, words


def processes(current: Session) -> int:
    """nproc=N: how many processes train one model together."""
    text = current.get("nproc", "1")
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1024):
        raise UserError(f"nproc={text} is not a whole number from 1 to 1,024", "as in nproc=2")
    return int(text)


def cluster(current: Session) -> list[str]:
    """scheduler=tcp://HOST:PORT: the Dask cluster that pretokenises; its words for model.pretokenise."""
    address = current.get("scheduler", "")
    if not address:
        return []
    if not re.fullmatch(r"(tcp|tls|ws|wss)://[^\s/]+:\d+", address):
        raise UserError(f"scheduler={address} is not the address of a Dask cluster", "as in scheduler=tcp://HOST:8786")
    if current.get("toolchain", "auto") != "host":
        raise UserError(f"scheduler={address} needs toolchain=host",
                        "other executors' stages have no network, and lie in folders that a worker does not see")
    return ["--scheduler", address]


def learning(path: Path, raw: dict[str, Any]) -> Learning:
    """Of what the schema has checked; UserError for what does not go together."""
    texts, tokenizer, export = _texts(path, raw["dataset"]), _tokenizer(path, raw["tokenizer"]), _export(path, raw)
    return Learning(texts, tokenizer, (*_model(path, raw["model"]), *_train(path, raw["train"])),
                    raw["train"]["threads"], export, raw["link_model"])


def _texts(path: Path, raw: dict[str, Any]) -> Texts:
    if sum(raw[key] is not None for key in ("generator", "file", "text")) != 1:
        raise UserError(f"{path}: dataset must have one of generator, file and text",
                        "generator: tales, or file, urls, sha256 and size of a download, or text: PATH")
    if raw["file"] is not None:
        _whole(path, "dataset", raw)
    archive = raw["file"] is not None and raw["file"].endswith(ARCHIVE)
    if archive != (raw["shards"] is not None):
        raise UserError(f"{path}: dataset.shards is {'missing' if archive else 'of an archive alone'}",
                        f"a file that ends in {ARCHIVE} has shards: N, the first so many of its texts are taken")
    return Texts(**{**raw, "urls": tuple(raw["urls"])})


def _tokenizer(path: Path, raw: dict[str, Any]) -> Tokenizer:
    kind = raw["kind"]
    if (raw["vocab"] is not None) != (kind == "bpe"):
        raise UserError(f"{path}: tokenizer.vocab is {'missing' if kind == 'bpe' else f'not for {kind}'}",
                        "kind: bpe is trained here, with so many tokens: vocab: 512; others have theirs")
    if (raw["file"] is not None) != (kind == "llama"):
        raise UserError(f"{path}: tokenizer.file is {'missing' if kind == 'llama' else f'not for {kind}'}",
                        "kind: llama is made from a SentencePiece model: file, urls, sha256 and size of it")
    if kind != "llama":
        return Tokenizer(kind, raw["vocab"], GPT2 if kind == "gpt2" else ())
    _whole(path, "tokenizer", raw)
    return Tokenizer(kind, None, (Pinned(raw["file"], tuple(raw["urls"]), raw["sha256"], raw["size"]),))


def _whole(path: Path, name: str, raw: Mapping[str, Any]) -> None:
    for key, means in (("sha256", "what the file must have"), ("size", "the file's size in bytes")):
        if raw[key] is None:
            raise UserError(f"{path}: {name}.{key} is missing", f"it is {means}: no other is ever used")


def _model(path: Path, raw: dict[str, Any]) -> list[str]:
    from model.program import InputError
    from model.shapes import preset

    changed = {name: value for name, value in raw.items() if name != "preset" and value is not None}
    try:
        preset(raw["preset"], **changed)
    except InputError as error:
        raise UserError(f"{path}: model: {error.what}", error.hint) from None
    sizes = (f"--size={name}={str(value).lower()}" for name, value in changed.items())
    return ["--preset", raw["preset"], *sizes]


def _train(path: Path, raw: dict[str, Any]) -> list[str]:
    if (raw["steps"] is None) == (raw["epochs"] is None):
        raise UserError(f"{path}: train must have either steps or epochs", "steps: 2000, say")
    if (raw["epochs"] is None) != (raw["stride"] is None):
        raise UserError(f"{path}: train.stride belongs to train.epochs",
                        "an epoch's windows lie so many tokens apart: the context, or less")
    if raw["batch"] % raw["accumulate"]:
        raise UserError(f"{path}: train.batch {raw['batch']} is not a multiple of train.accumulate {raw['accumulate']}",
                        "a batch is done in so many equal parts")
    length = ["--steps", str(raw["steps"])] if raw["steps"] else \
        ["--epochs", str(raw["epochs"]), "--epochs-stride", str(raw["stride"])]
    flags = {"batch": "batch", "accumulate": "accumulate", "learning_rate": "lr", "warmup": "warmup",
             "weight_decay": "decay", "seed": "seed", "log_every": "log-every", "evaluate_every": "eval-every",
             "sample_every": "sample-every", "device": "device"}
    words = [word for name, flag in flags.items() for word in (f"--{flag}", str(raw[name]))]
    return [*length, *words, f"--prompt={raw['prompt']}", *(f"--{name}" for name in ("bf16", "compile") if raw[name])]


def _export(path: Path, raw: dict[str, Any]) -> Export:
    from model.shapes import PRESETS, LlamaShape

    chosen = raw["export"] or {name: field.default for name, field in _EXPORT.items()}
    if chosen["format"] == "llama2c":
        llama = isinstance(PRESETS[raw["model"]["preset"]], LlamaShape)
        if not llama or raw["tokenizer"]["kind"] not in ("llama", "bpe"):
            raise UserError(f"{path}: export.format llama2c has Llamas with a tokenizer llama or bpe alone",
                            "format: gguf takes any model")
        if chosen["type"] not in ("F32", "Q8_0"):
            raise UserError(f"{path}: export.type {chosen['type']} is not of llama2.c", "it has F32 and Q8_0")
        if raw["link_model"]:
            raise UserError(f"{path}: link_model is not for llama2c, which has two files",
                            "leave it out, or format: gguf")
    for word in chosen["also"]:
        if word not in ALSO:
            raise UserError(f"{path}: export.also names {word!r}",
                            f"{meant(word, ALSO)}it is a list of: {', '.join(ALSO)}")
    if "header" in chosen["also"]:
        _check_header(path, raw)
    return Export(chosen["format"], chosen["type"], tuple(chosen["also"]))


def _check_header(path: Path, raw: dict[str, Any]) -> None:
    """Before anything is trained: a header has a limit."""
    from model.export.header import MOST
    from model.shapes import preset

    changed = {name: value for name, value in raw["model"].items() if name != "preset" and value is not None}
    vocab = {"bytes": 256, "chars": 1, "bpe": raw["tokenizer"]["vocab"]}.get(raw["tokenizer"]["kind"])
    count = preset(raw["model"]["preset"], **changed, **({"vocab": vocab} if vocab else {})).parameters
    if count > MOST:
        raise UserError(f"{path}: export.also: a C header of {count:,} parameters",
                        f"it has {MOST:,} at most: leave header out")
