"""What a model's pictures are drawn from, as JSON: chances of the next token, and who looks at whom.

    python3 -m model.pictures weights.bin --prompt "Once upon a time" --out out/pictures.json

toolchain/commands/plots.py draws them (model/plots.py), where matplotlib is.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model import interchange
from model.architectures import Model
from model.architectures.gpt import Gpt
from model.architectures.llama import rotate, rotation
from model.decoding import Strategy, probabilities
from model.infer import prompt_ids
from model.program import InputError, run, write_file
from model.tokenizers import load, make
from model.tokenizers.simple import bytes_table

TEMPERATURES = (0.3, 1.0, 2.0)
TOKENS = 12  # the likeliest, of which chances are given
LONGEST = 64  # tokens of a prompt


@torch.inference_mode()  # type: ignore[untyped-decorator]
def attention(model: Model, tokens: Tensor) -> list[Tensor]:
    """tokens (1, time) -> for each layer (heads, time, time): row i, how much of each token position i takes"""
    normed: list[Tensor] = []
    norms = [layer.ln1 if isinstance(model, Gpt) else layer.norm1 for layer in model.layers]
    hooks = [norm.register_forward_hook(lambda part, given, out: normed.append(out)) for norm in norms]
    try:
        model(tokens)
    finally:
        for hook in hooks:
            hook.remove()
    return [_shares(model, layer, x) for layer, x in zip(model.layers, normed, strict=True)]


def _shares(model: Model, layer: Any, x: Tensor) -> Tensor:
    """x (1, time, width), what a layer's attention reads -> (heads, time, time)"""
    time, head = x.shape[1], model.shape.width // model.shape.heads
    if isinstance(model, Gpt):
        q, k, _ = (part.view(time, -1, head).transpose(0, 1) for part in layer.qkv(x)[0].chunk(3, dim=-1))
    else:
        turn = rotation(0, time, head, model.shape.rope_theta)
        q, k = (rotate(part(x).view(1, time, -1, head).transpose(1, 2), *(one.to(x.dtype) for one in turn))[0]
                for part in (layer.q, layer.k))
        k = k.repeat_interleave(layer.groups, dim=0)
    future = torch.ones(time, time, dtype=torch.bool).triu(1)
    return (q @ k.transpose(1, 2) * head**-0.5).masked_fill(future, -torch.inf).softmax(-1)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m model.pictures", allow_abbrev=False)
    parser.add_argument("checkpoint", type=Path, help="a model.safetensors, or the C trainer's weights.bin")
    parser.add_argument("--tokenizer", type=Path, help="its tokenizer.json; left out: bytes")
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    args = parser.parse_args(argv)

    def work() -> None:
        model = interchange.read(args.checkpoint).model()
        tokenizer = load(args.tokenizer) if args.tokenizer else make(bytes_table())
        if tokenizer.table.vocab > model.shape.vocab:
            raise InputError(f"the model has {model.shape.vocab:,} tokens, the tokenizer {tokenizer.table.vocab:,}",
                             "give the tokenizer that the model was trained with")
        ids, most = prompt_ids(tokenizer, args.prompt), min(LONGEST, model.shape.context)
        if not 1 <= len(ids) <= most:
            raise InputError(f"the prompt has {len(ids)} tokens", f"a picture has room for 1 to {most}")
        tokens = torch.tensor([ids])
        with torch.inference_mode():
            logits = model(tokens)[0, -1].float()
        first = torch.argsort(logits, descending=True, stable=True)[:TOKENS]
        words = [tokenizer.decode([token]) for token in first.tolist()]
        chances = {str(temp): probabilities(logits, Strategy(temp=temp))[first].tolist() for temp in TEMPERATURES}
        found = {"prompt": args.prompt, "tokens": [tokenizer.decode([token]) for token in ids],
                 "next": words, "chances": chances,
                 "attention": [[[[round(x, 4) for x in row] for row in head] for head in layer.tolist()]
                               for layer in attention(model, tokens)]}
        write_file(args.out, json.dumps(found, ensure_ascii=False).encode())

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
