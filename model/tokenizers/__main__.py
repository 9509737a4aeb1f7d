"""A tokenizer.json of any kind.

    python3 -m model.tokenizers bytes --out tokenizer.json
    python3 -m model.tokenizers chars corpus.txt --out tokenizer.json
    python3 -m model.tokenizers words corpus.txt --out tokenizer.json
    python3 -m model.tokenizers gpt2 vocab.bpe encoder.json --out tokenizer.json
    python3 -m model.tokenizers llama tokenizer.model --out tokenizer.json
    python3 -m model.tokenizers bpe texts --vocab 512 --out tokenizer.json

llama takes a SentencePiece model, or llama2.c's tokenizer.bin; chars, words and bpe learn from texts: files or folders.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from model import documents
from model.program import InputError, run
from model.tokenizers import bpe, gpt2, llama, simple, table
from model.tokenizers.table import Table

FILES = {"bytes": (0, 0), "chars": (1, None), "words": (1, None), "gpt2": (2, 2), "llama": (1, 1), "bpe": (1, None)}


def make(kind: str, files: Sequence[Path], vocab: int) -> Table:
    """The table of a kind. InputError where its files are too few, too many, or not what it needs."""
    least, most = FILES[kind]
    if len(files) < least or (most is not None and len(files) > most):
        wants = f"{least} files" if most == least else f"{least} or more texts"
        raise InputError(f"a tokenizer of the kind {kind} from {len(files)} files", f"it takes {wants}")
    if kind == "bytes":
        return simple.bytes_table()
    if kind == "gpt2":
        return gpt2.from_files(files[0], files[1])
    if kind == "llama":
        return llama.from_file(files[0])
    texts = [text for file in files for path in documents.of_folder(file) for text in documents.read(path)]
    if kind == "bpe":
        return bpe.train(texts, vocab)
    return (simple.chars_table if kind == "chars" else simple.words_table)("".join(texts))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m model.tokenizers", allow_abbrev=False)
    parser.add_argument("kind", choices=FILES)
    parser.add_argument("files", type=Path, nargs="*", help="what it is made of: see above")
    parser.add_argument("--vocab", type=int, default=4096, help="tokens of a bpe")
    parser.add_argument("--out", type=Path, required=True, help="the tokenizer.json to write")
    args = parser.parse_args(argv)

    def work() -> None:
        made = make(args.kind, args.files, args.vocab)
        table.write(args.out, made)
        print(f"{made.vocab:,} tokens")

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
