"""One model, trained here, three times: in PyTorch with its cache, in the engine here, in the engine without a system.

The image's stages have trained and exported it; whoever starts this has booted it (toolchain/validation/booted.py).
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from model import checkpoint
from model.decoding import Strategy, generate
from model.infer import ends, prompt_ids
from model.tokenizers import load
from model.validate.goals import HOST, PROMPTS, STORIES, TOKENS, Chart, Result, Tell

LOSS = 0.3


def of_engine(model: str, prompt: str) -> str:
    """What the host program prints."""
    argv = [f"./{HOST}", model, "-t", "0", "--tokens", str(TOKENS), "-i", prompt]
    return subprocess.run(argv, check=True, capture_output=True).stdout.decode("utf-8", "replace").rstrip("\n")


def measure(tell: Tell, files: tuple[str, ...] = STORIES) -> Result:
    """Every prompt's text from all three; the losses of its training."""
    weights, tokens, exported, log, booted = files
    model, tokenizer = checkpoint.read(Path(weights)).model(), load(Path(tokens))
    replies = {one["prompt"]: one["text"].rstrip("\n") for one in json.loads(Path(booted).read_bytes())["replies"]}
    same, lengths, said = 0, [], []
    for done, prompt in enumerate(PROMPTS, 1):
        ids = prompt_ids(tokenizer, prompt)
        made = list(generate(model, ids, Strategy(temp=0), TOKENS, ends=ends(tokenizer)))
        texts = {"PyTorch": tokenizer.decode([*ids, *made]).rstrip("\n"), "host engine": of_engine(exported, prompt),
                 "booted": replies.get(prompt, "(not asked)")}
        agreed = len(set(texts.values())) == 1
        same += agreed
        lengths.append(len(made))
        said += [f"all three: {texts['booted']}"] if agreed else [f"{who}: {text}" for who, text in texts.items()]
        tell(done, len(PROMPTS), f"{same} of {done} the same")
    records = [json.loads(line) for line in Path(log).read_text().splitlines()]
    judged = [(float(line["step"]), float(line["val_loss"])) for line in records if "val_loss" in line]
    loss = judged[-1][1]
    return Result(f"{same} of {len(PROMPTS)} texts of {_and(lengths)} tokens the same, held-out loss {loss:.3f}",
                  same == len(PROMPTS) and loss <= LOSS, (
        Chart("training steps", "loss (nats a token)", {
            "one batch": [(float(line["step"]), float(line["loss"])) for line in records], "held out": judged}),),
        tuple(said))


def _and(numbers: list[int]) -> str:
    return str(numbers[0]) if len(set(numbers)) == 1 else ", ".join(map(str, numbers))
