"""A demonstration of learning: an image's trained model reads Python for 100 steps.

    python3 -m model.demo weights.bin --out out
    python3 -m model.demo model.safetensors --tokenizer tokenizer.json --prompt "def last(" --out out

out/demo.json holds what it writes before and after, and the losses. The text is that of the rung `snippets`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

from model import interchange, windows
from model.architectures import Model
from model.decoding import Strategy, generate
from model.infer import ends, prompt_ids
from model.program import InputError, progress, run, write_file
from model.tokenizers import Tokenizer, load, make
from model.tokenizers.simple import bytes_table
from model.training.group import Group
from model.training.loop import evaluate, train
from model.training.optimizer import adamw
from model.training.options import Options
from model.validate import snippet_text

STEPS, WORDS, PROMPTS = 100, 100, ("Once upon a time", "def ")
OPTIONS = Options(steps=STEPS, batch=8, lr=0.004, warmup=10, eval_every=STEPS)


def text(model: Model, tokenizer: Tokenizer, prompt: str) -> str:
    """As the model goes on, prompt included."""
    ids = prompt_ids(tokenizer, prompt)
    model.eval()
    made = list(generate(model, ids, Strategy(temp=0.7, top_p=0.9), WORDS, ends=ends(tokenizer)))
    return tokenizer.decode([*ids, *made])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m model.demo", allow_abbrev=False)
    parser.add_argument("checkpoint", type=Path, help="a model.safetensors, or the C trainer's weights.bin")
    parser.add_argument("--tokenizer", type=Path, help="its tokenizer.json; left out: bytes")
    parser.add_argument("--prompt", help="what its texts begin with; left out: two")
    parser.add_argument("--out", type=Path, required=True, help="the folder for demo.json")
    args = parser.parse_args(argv)

    def work() -> None:
        torch.set_num_threads(1)
        if args.prompt == "":
            raise InputError("the prompt is empty", "give a text to continue")
        model = interchange.read(args.checkpoint).model()
        tokenizer = load(args.tokenizer) if args.tokenizer else make(bytes_table())
        if tokenizer.table.vocab > model.shape.vocab:
            raise InputError(f"the model has {model.shape.vocab:,} tokens, the tokenizer {tokenizer.table.vocab:,}",
                             "give the tokenizer that the model was trained with")
        learn, other = (np.array(tokenizer.encode(snippet_text.text(seed, times)), np.uint32)
                        for seed, times in ((1, 5), (2, 1)))
        source = windows.Random([learn], model.shape.context, OPTIONS.batch, OPTIONS.seed)
        held_out = windows.in_order([other], model.shape.context, 16, 8)
        prompts = [args.prompt] if args.prompt is not None else list(PROMPTS)
        before = [text(model, tokenizer, prompt) for prompt in prompts]
        judged = [evaluate(model, held_out, OPTIONS, torch.device("cpu"))]
        losses = []
        for step in train(model, adamw(model, OPTIONS), source, held_out, OPTIONS, Group()):
            losses.append([step.number, step.loss])
            progress({"done": step.number, "of": STEPS, "note": f"loss {step.loss:.3f}"})
            judged += [step.val_loss] if step.val_loss is not None else []
        after = [text(model, tokenizer, prompt) for prompt in prompts]
        found = {"before": before, "after": after, "judged": judged, "losses": losses}
        write_file(args.out / "demo.json", json.dumps(found, ensure_ascii=False).encode())

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
