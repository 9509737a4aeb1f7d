"""Models of model/ for tests beside transformers: this runs in the interpreter that tests/peers.py finds, where PyTorch
is too, with the checkout as its working folder. A JSON list of requests on stdin, that of the answers on stdout."""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model import checkpoint, interchange
from model.architectures import make
from model.decoding import Strategy, generate
from model.export.huggingface_tokenizer import files
from model.shapes import LlamaShape, from_json
from model.tokenizers import bpe, load, simple, table
from model.tokenizers.gpt2 import from_files
from model.tokenizers.llama import from_file


def random_model(shape: dict[str, Any], folder: str) -> None:
    """With logits of some size; tokens that are bytes, or for a Llama a BPE of the sample."""
    found = from_json(shape)
    torch.manual_seed(1)
    model = make(found)
    with torch.no_grad():
        for part in model.parameters():
            part.add_(torch.randn_like(part) * 0.1)
    write_tokenizer(f"{folder}/tokenizer.json", found.vocab if isinstance(found, LlamaShape) else 0)
    checkpoint.write(Path(folder) / "model.safetensors", model, "x")


def write_tokenizer(path: str, vocab: int) -> None:
    """0: bytes."""
    words = "once upon a time there was a little cat who sat on the mat and the dog ran to the big red house "
    table.write(Path(path), bpe.train([words * 20], vocab) if vocab else simple.bytes_table())


def gpt2_tokenizer(vocab_bpe: str, encoder_json: str, path: str) -> None:
    """50,257 tokens."""
    table.write(Path(path), from_files(Path(vocab_bpe), Path(encoder_json)))


def folder_of(tokenizer: str, folder: str) -> None:
    """The tokenizer's files of a folder of Hugging Face's."""
    for name, content in files(table.read(Path(tokenizer)), 128).items():
        (Path(folder) / name).write_text(json.dumps(content))


def of_llama2c(model: str, tokenizer: str, folder: str) -> None:
    """llama2.c's file of version 0 with a tied head, as a checkpoint."""
    data = Path(model).read_bytes()
    width, hidden, layers, heads, kv_heads, vocab, context = np.frombuffer(data, "<i4", 7).tolist()
    shape = LlamaShape(vocab, context, layers, heads, kv_heads, width, hidden)
    values, state, at = np.frombuffer(data, "<f4", offset=28), {}, 0
    sizes = {name: tuple(value.shape) for name, value in make(shape).state_dict().items()}
    names = [f"layers.{i}.{part}.weight" for part in ("norm1", "q", "k", "v", "proj", "norm2", "gate", "down", "up")
             for i in range(layers)]
    for name in ("token.weight", *names, "norm.weight"):
        count = int(np.prod(sizes[name]))
        state[name] = torch.from_numpy(values[at:at + count].reshape(sizes[name]).copy())
        at += count
    checkpoint.write_state(Path(folder) / "model.safetensors", shape, state, "llama")
    table.write(Path(folder) / "tokenizer.json", from_file(Path(tokenizer)))


def logits(model: str, ids: list[int], out: str) -> None:
    """After each token, raw fp32, in the file `out`."""
    with torch.inference_mode():
        found = interchange.read(Path(model)).model()(torch.tensor([ids]))[0]
    found.numpy().astype("<f4").tofile(out)


def greedy(model: str, ids: list[int], tokens: int) -> list[int]:
    """What follows, as model.infer makes it: with a cache, token by token."""
    return list(generate(interchange.read(Path(model)).model(), ids, Strategy(temp=0), tokens, 1, frozenset()))


def encode(tokenizer: str, text: str) -> list[int]:
    """With the bos that its texts begin with."""
    found = load(Path(tokenizer))
    first = [found.table.bos] if found.table.begins and found.table.bos is not None else []
    return [*first, *found.encode(text)]


def decode(tokenizer: str, ids: list[int]) -> str:
    """The text."""
    return load(Path(tokenizer)).decode(ids)


def program(module: str, words: list[str]) -> None:
    """One of model/."""
    with contextlib.redirect_stdout(sys.stderr):
        if importlib.import_module(module).main(words) != 0:
            raise SystemExit(1)


def main() -> None:
    """Each is {"what": a function of these, and what it takes}."""
    known = {function.__name__: function for function in (
        random_model, write_tokenizer, gpt2_tokenizer, folder_of, of_llama2c, logits, greedy, encode, decode,
        program)}
    print(json.dumps([known[request.pop("what")](**request) for request in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
