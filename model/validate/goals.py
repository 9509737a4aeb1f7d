"""The rungs by name, cheapest first: what each shows, what it must reach, and the files that it needs.

Nothing here needs PyTorch: `./doit validate` reads it to know what to fetch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

TRAINER = "train"  # the C trainer's program, in the folder that a rung runs in
HOST = "ingot"  # the engine's
SHAKESPEARE, VERDICT = "data/tinyshakespeare.txt", "data/the-verdict.txt"
GPT2 = ("data/gpt2/encoder.json", "data/gpt2/vocab.bpe")
BOOTED = "stories-train"  # the image that is booted with PROMPTS, greedily, for so many TOKENS each
PROMPTS, TOKENS = ("Once upon a time", "One day", "There was a little"), 200
STORIES = tuple(f"{BOOTED}/{name}" for name in ("model.safetensors", "tokenizer.json", "model.gguf", "train.jsonl",
                                                "boot.json"))

Tell = Callable[[int, int, str], None]  # so many of so many steps done, and a word about it


@dataclass(frozen=True)
class Rung:
    """What is to be shown."""

    name: str
    what: str
    goal: str
    needs: tuple[str, ...] = ()
    alone: bool = False  # takes ten minutes and more: run only where it is named


@dataclass(frozen=True)
class Chart:
    """Lines over one pair of axes."""

    across: str
    up: str
    lines: dict[str, list[tuple[float, float]]]


@dataclass(frozen=True)
class Result:
    """What was found. `said`: lines for a reader, the texts that a model wrote, say."""

    measured: str
    passed: bool
    charts: tuple[Chart, ...] = ()
    said: tuple[str, ...] = field(default=())


RUNGS = (
    Rung("gradients", "every operation and both models: derivatives by hand, by finite differences and by PyTorch",
         "worst relative difference 1e-6 from finite differences, 1e-10 from PyTorch"),
    Rung("trainer", "the C trainer beside PyTorch: the same weights and batches give the same gradients and losses",
         "gradients within 1e-4 of each tensor's largest, losses of 20 steps within 1e-4", (TRAINER,)),
    Rung("memorise", "4,624 parameters learn twelve sequences, each determined by its first two symbols",
         "12 of 12 exact after at most 1,000 steps"),
    Rung("snippets", "33,472 parameters complete lines of Python that they have not seen",
         "5 of 5 prompts after 5,000 steps"),
    Rung("nano", "Tiny Shakespeare, 120,576 parameters, 5,000 steps at batch 8: PyTorch beside the C trainer",
         "losses of the whole held-out split within 0.05", (TRAINER, SHAKESPEARE)),
    Rung("stories", "Llama 260k and a tokenizer of 512, trained here on stories made up here: PyTorch with its cache, "
         "the host engine, the booted image", "3 of 3 greedy texts of 200 tokens the same, held-out loss at most 0.3",
         (HOST, *STORIES)),
    Rung("verdict", "GPT-2 124M on The Verdict, 10 epochs, context 256", "training loss at most 0.8, from about 11",
         (VERDICT, *GPT2), alone=True),
)


def rung(name: str) -> Rung | None:
    """The one of that name."""
    return next((one for one in RUNGS if one.name == name), None)
