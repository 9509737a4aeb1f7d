"""A model continues a prompt, by one strategy or by six side by side.

    python3 -m model.infer model.safetensors --tokenizer tokenizer.json --prompt "Once" --strategy top_k --k 50
    python3 -m model.infer model.safetensors --tokenizer tokenizer.json --prompt "Once" --compare out/compare.json
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from model import interchange
from model.architectures import Model
from model.decoding import Strategy, generate
from model.program import InputError, run, write_file
from model.tokenizers import Tokenizer, load, make
from model.tokenizers.simple import bytes_table

# What `compare` shows: the six of the documents.
COMPARED = {
    "greedy": Strategy(temp=0),
    "T = 0.3": Strategy(temp=0.3),
    "T = 1.0": Strategy(temp=1.0),
    "T = 2.0": Strategy(temp=2.0),
    "k = 50": Strategy(top_k=50),
    "p = 0.9": Strategy(top_p=0.9),
}


@dataclass(frozen=True)
class Text:
    """One continuation and what can be counted of it."""

    name: str
    text: str  # without the prompt
    tokens: int
    distinct1: float  # different tokens / tokens
    distinct2: float  # different pairs / pairs
    repetition: float  # share of runs of four tokens that have come before
    perplexity: float | None  # by the model itself, at temperature 1; None: nothing of it is in the context


def strategy_of(args: argparse.Namespace) -> Strategy:
    """The strategy that is named; each needs its own number."""
    kinds = {"greedy": Strategy(temp=0), "temperature": Strategy(temp=args.temp),
             "top_k": Strategy(temp=args.temp, top_k=args.k), "top_p": Strategy(temp=args.temp, top_p=args.p),
             "min_p": Strategy(temp=args.temp, min_p=args.min_p)}
    chosen = kinds[args.strategy]
    return Strategy(**{**asdict(chosen), "repeat": args.repeat})


def prompt_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """As the engine has them: bos first where the tokenizer's texts begin with it."""
    table = tokenizer.table
    ids = tokenizer.encode(text)
    return [table.bos, *ids] if table.begins and table.bos is not None else ids


def ends(tokenizer: Tokenizer) -> frozenset[int]:
    """What ends a text: eos, and the next text's bos."""
    table = tokenizer.table
    both = (table.eos, table.bos if table.begins else None)
    return frozenset(token for token in both if token is not None)


def measured(name: str, model: Model, tokenizer: Tokenizer, prompt: Sequence[int], made: Sequence[int]) -> Text:
    """Li et al. 2016 for distinct-n; repetition as Welleck et al. 2020 count it."""
    def distinct(n: int) -> float:
        runs = list(zip(*(made[i:] for i in range(n)), strict=False))
        return len(set(runs)) / len(runs) if runs else 0.0

    fours = Counter(zip(*(made[i:] for i in range(4)), strict=False))
    total = sum(fours.values())
    return Text(name, tokenizer.decode(made), len(made), distinct(1), distinct(2),
                1 - len(fours) / total if total else 0.0, perplexity(model, prompt, made))


@torch.inference_mode()  # type: ignore[untyped-decorator]
def perplexity(model: Model, prompt: Sequence[int], made: Sequence[int]) -> float | None:
    """exp of the mean of -log p of the new tokens that the context still reaches."""
    ids = [*prompt, *made][:model.shape.context]
    fresh = len(ids) - len(prompt)
    if fresh < 1:
        return None
    logs = torch.log_softmax(model(torch.tensor([ids[:-1]]))[0].float(), dim=-1)
    picked = logs[torch.arange(len(ids) - 1 - fresh, len(ids) - 1), torch.tensor(ids[len(prompt):])]
    return math.exp(-float(picked.mean()))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m model.infer", allow_abbrev=False)
    parser.add_argument("checkpoint", type=Path, help="a model.safetensors, or the C trainer's weights.bin")
    parser.add_argument("--tokenizer", type=Path, help="its tokenizer.json; left out: bytes")
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--max-tokens", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strategy", choices=("greedy", "temperature", "top_k", "top_p", "min_p"), default="greedy")
    parser.add_argument("--temp", type=float, default=1.0)
    parser.add_argument("--k", type=int, default=50)
    parser.add_argument("--p", type=float, default=0.9)
    parser.add_argument("--min-p", type=float, default=0.05)
    parser.add_argument("--repeat", type=float, default=1.0, help="repetition penalty; 1: off")
    parser.add_argument("--compare", type=Path, help="the JSON file to write, of six strategies")
    args = parser.parse_args(argv)

    def work() -> None:
        found = interchange.read(args.checkpoint)
        tokenizer = load(args.tokenizer) if args.tokenizer else make(bytes_table())
        if tokenizer.table.vocab > found.shape.vocab:
            raise InputError(f"the model has {found.shape.vocab:,} tokens, the tokenizer {tokenizer.table.vocab:,}",
                             "give the tokenizer that the model was trained with")
        if not 1 <= args.max_tokens <= 100_000:
            raise InputError(f"max_tokens={args.max_tokens}", "it is from 1 to 100,000")
        model, prompt = found.model(), prompt_ids(tokenizer, args.prompt)

        def text(strategy: Strategy) -> list[int]:
            return list(generate(model, prompt, strategy, args.max_tokens, args.seed, ends(tokenizer)))

        if args.compare is None:
            print(args.prompt + tokenizer.decode([*prompt, *text(strategy_of(args))])[len(tokenizer.decode(prompt)):])
            return
        rows = [measured(name, model, tokenizer, prompt, text(strategy)) for name, strategy in COMPARED.items()]
        write_file(args.compare, json.dumps([asdict(row) for row in rows], ensure_ascii=False).encode())

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
