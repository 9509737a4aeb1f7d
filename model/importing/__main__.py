"""A folder of Hugging Face's (Llama, Mistral without its window, GPT-2) becomes a checkpoint, which can be exported.

    python3 -m model.importing FOLDER --out model.safetensors --tokenizer tokenizer.json

It has config.json, model.safetensors (or several files and their index), and tokenizer.model or tokenizer.json.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model import checkpoint
from model.importing import config, tokenizer, weights
from model.importing.reading import read_json
from model.program import InputError, run
from model.tokenizers import table

CONFIG = "config.json"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m model.importing", allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="the folder that was downloaded")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint to write")
    parser.add_argument("--tokenizer", type=Path, required=True, help="the tokenizer.json to write")
    args = parser.parse_args(argv)

    def work() -> None:
        if not (args.folder / CONFIG).is_file():
            raise InputError(f"{args.folder} has no {CONFIG}", "give the folder of a model of Hugging Face's")
        about = read_json(args.folder / CONFIG)
        shape = config.shape_of(about, f"{args.folder}/{CONFIG}")
        words = tokenizer.read(args.folder, shape.vocab, about)
        template = tokenizer.chat_template(args.folder)
        checkpoint.write_state(args.out, shape, weights.read(args.folder, shape), words.kind,
                               {} if template is None else {"chat_template": template})
        table.write(args.tokenizer, words)
        print(f"{shape.architecture}, {shape.parameters:,} parameters, {shape.vocab:,} tokens")

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
