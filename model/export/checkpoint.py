"""A checkpoint into the formats that others read.

    python3 -m model.export.checkpoint model.safetensors --tokenizer tokenizer.json --name stories \\
        [--gguf model.gguf --type Q8_0] [--llama2c model.bin --version 2] [--tokenizer-bin tokenizer.bin] \\
        [--huggingface FOLDER] [--header model.h]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch

from model import interchange
from model.export import huggingface, llama2c, packing
from model.export.__main__ import name
from model.export.header import of_model
from model.export.model_gguf import check_vocab, matrix_kind, model_gguf
from model.export.packing import Array
from model.export.tensors import tensors
from model.program import InputError, run, write_file
from model.tokenizers import table


class Floats(Mapping[str, Array]):
    """Weights as fp32, each made when it is asked for."""

    def __init__(self, weights: Mapping[str, torch.Tensor]) -> None:
        self._weights = weights

    def __getitem__(self, name: str) -> Array:
        values: Array = self._weights[name].float().numpy()
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m model.export.checkpoint", allow_abbrev=False)
    parser.add_argument("checkpoint", type=Path, help="a model.safetensors of model.train or model.importing, or the "
                                                      "C trainer's weights.bin")
    parser.add_argument("--tokenizer", type=Path, required=True, help="its tokenizer.json")
    parser.add_argument("--name", type=name, required=True, help="the model's name: letters, digits, '-', '_', '.'")
    parser.add_argument("--gguf", type=Path, help="the GGUF file to write")
    parser.add_argument("--type", choices=packing.KINDS, default="F32", help="of its matrices")
    parser.add_argument("--llama2c", type=Path, help="the llama2.c file to write")
    parser.add_argument("--version", type=int, choices=(0, 2), default=0, help="of that: fp32 or int8")
    parser.add_argument("--tokenizer-bin", type=Path, help="llama2.c's tokenizer to write")
    parser.add_argument("--huggingface", type=Path, help="the folder to write, for Hugging Face's transformers")
    parser.add_argument("--header", type=Path, help="the C header to write, of a model of 4,194,304 parameters at most")
    args = parser.parse_args(argv)

    def work() -> None:
        found = interchange.read(args.checkpoint)
        about = table.read(args.tokenizer)
        check_vocab(found.shape, about)
        for key, value in found.weights.items():
            if not torch.isfinite(value).all():
                raise InputError(f"{args.checkpoint}: {key} has a value that is not a finite number", "train it again")
        weights = Floats(found.weights)
        if args.gguf:
            write_parts(args.gguf, model_gguf(found.shape, weights, about, args.name, args.type, found.chat_template))
            for tensor, values in tensors(found.shape, weights):
                kind = matrix_kind(tensor, values, args.type)
                if values.ndim > 1 and kind != args.type:
                    print(f"{tensor} is {kind}, not {args.type}")
        if args.llama2c and args.version == 0:
            write_parts(args.llama2c, llama2c.v0(found.shape, weights))
        elif args.llama2c:
            parts, error = llama2c.v2(found.shape, weights)
            write_parts(args.llama2c, parts)
            print(f"{args.llama2c.name}: largest rounding error {error:.6f}")
        if args.tokenizer_bin:
            write_file(args.tokenizer_bin, llama2c.tokenizer_bin(about))
        if args.huggingface and not huggingface.write(args.huggingface, found, about):
            print(f"{args.huggingface.name}: no tokenizer.json, as transformers has none of the kind {about.kind}")
        if args.header:
            write_file(args.header, of_model(found.shape, weights, args.name))

    return run(work)


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """The file as a whole, or nothing."""
    write_file(path, b"".join(parts))


if __name__ == "__main__":
    sys.exit(main())
