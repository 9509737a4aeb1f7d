"""Trains a model in PyTorch.

    python3 -m model.train --preset 260k --tokenizer tokenizer.json --train train.*.bin --val val.bin --steps 2000 \\
        --out model.safetensors --metrics train.jsonl --samples samples.txt [--scratch scratch]

With torchrun several processes, or machines, train it together:

    torchrun --nnodes 2 --nproc-per-node 1 --rdzv-backend c10d --rdzv-endpoint HOST:29400 -m model.train …

The checkpoint in --scratch makes training go on exactly where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from model import checkpoint, windows
from model.architectures import Model, make
from model.decoding import Strategy, generate
from model.program import InputError, progress, run, write_file
from model.shapes import PRESETS, Shape, preset
from model.tokenizers import Tokenizer, load
from model.training import device, optimizer
from model.training.group import Group, join
from model.training.loop import Source, Step, train
from model.training.options import Options

CHECKPOINT = "checkpoint.safetensors"
TIMES = "train.times.jsonl"
SAMPLE_TOKENS = 100


@dataclass(frozen=True)
class Job:
    """Everything that the steps need."""

    shape: Shape
    tokenizer: Tokenizer
    label: str
    options: Options
    source: Source
    held_out: list[windows.Batch]
    scratch: Path | None
    prompt: str


_stopped: list[int] = []  # signals that ask for an end after this step


def parser() -> argparse.ArgumentParser:
    """All flags; those of Options have its names and defaults."""
    made = argparse.ArgumentParser(prog="python3 -m model.train", allow_abbrev=False)
    made.add_argument("--preset", choices=PRESETS, required=True, help="the sizes to begin with")
    made.add_argument("--size", action="append", default=[], metavar="NAME=N", help="one of them changed: context=256")
    made.add_argument("--tokenizer", type=Path, required=True, help="a tokenizer.json")
    made.add_argument("--train", type=Path, nargs="+", required=True, help="files of tokens to learn from")
    made.add_argument("--val", type=Path, nargs="+", required=True, help="files of tokens that are held out")
    made.add_argument("--epochs-stride", type=int, default=0,
                      help="0: windows from anywhere; else every window once an epoch, so many tokens apart")
    made.add_argument("--epochs", type=int, default=0, help="in the place of --steps: so many times every window")
    made.add_argument("--device", choices=device.NAMES, default="auto")
    made.add_argument("--prompt", default="\n", help="what samples begin with")
    made.add_argument("--scratch", type=Path, help="folder for the checkpoint")
    for name in ("out", "metrics", "samples"):
        made.add_argument(f"--{name}", type=Path, required=True, help="a file to write")
    for field in fields(Options):
        flag = f"--{field.name.replace('_', '-')}"
        if field.type == "bool":
            made.add_argument(flag, action="store_true", dest=field.name)
        else:
            kind = int if field.type == "int" else float
            made.add_argument(flag, type=kind, default=0 if field.name == "steps" else field.default, dest=field.name)
    return made


def sizes(words: Sequence[str]) -> dict[str, Any]:
    """`context=256` and the like."""
    found: dict[str, Any] = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            number = json.loads(value)
        except ValueError:
            number = None
        if type(number) not in (int, float, bool):
            raise InputError(f"--size {word} is no size", "write --size context=256")
        found[name] = number
    return found


def prepare(args: argparse.Namespace) -> Job:
    """Reads and checks everything before the first step."""
    if (args.steps > 0) == (args.epochs > 0) or args.epochs_stride < 0 or (args.epochs and not args.epochs_stride):
        raise InputError(f"training of {args.steps} steps, {args.epochs} epochs, stride {args.epochs_stride}",
                         "give --steps, or --epochs and --epochs-stride")
    options = Options(**{**{field.name: getattr(args, field.name) for field in fields(Options)},
                         "steps": args.steps or args.epochs})
    tokenizer = load(args.tokenizer)
    shape = preset(args.preset, **{"vocab": tokenizer.table.vocab, **sizes(args.size)})
    if shape.vocab < tokenizer.table.vocab:
        raise InputError(f"the model has {shape.vocab:,} tokens, the tokenizer {tokenizer.table.vocab:,}",
                         "leave --size vocab out")
    train_files, val_files = windows.read(args.train, shape.vocab), windows.read(args.val, shape.vocab)
    source: Source
    if args.epochs_stride == 0:
        source = windows.Random(train_files, shape.context, options.batch, options.seed)
    else:
        source = windows.Epochs(train_files, shape.context, options.batch, options.seed, args.epochs_stride)
        options = replace(options, steps=args.epochs * source.steps) if args.epochs else options
    held_out = windows.in_order(val_files, shape.context, max(1, options.batch // options.accumulate),
                                options.eval_batches)
    return Job(shape, tokenizer, tokenizer.table.kind, options, source, held_out, args.scratch, args.prompt)


def sample(job: Job, model: Model, number: int) -> str:
    """A text as the model continues the prompt after so many steps."""
    table = job.tokenizer.table
    ids = job.tokenizer.encode(job.prompt)
    if table.begins and table.bos is not None:
        ids = [table.bos, *ids]
    was = model.training
    model.eval()
    ends = frozenset(token for token in (table.bos, table.eos) if token is not None and table.kind != "bytes")
    made = list(generate(model, ids, Strategy(temp=0.8, top_p=0.9), SAMPLE_TOKENS, job.options.seed, ends))
    model.train(was)
    return f"--- step {number} ---\n{job.tokenizer.decode([*ids, *made])}\n"


class Run:
    """What has come out so far; kept in the checkpoint, so that the files are the same however often it was stopped."""

    def __init__(self, job: Job, model: Model, group: Group) -> None:
        self.job, self.model, self.group = job, model, group
        self.adamw = optimizer.adamw(model, job.options)
        self.done, self.log, self.samples = 0, "", ""
        self.path = job.scratch / CHECKPOINT if job.scratch else None
        if self.path and self.path.exists():
            self._resume(self.path)
        self.started, self.first = time.monotonic(), self.done

    def _resume(self, path: Path) -> None:
        found = checkpoint.read(path)
        meta = found.meta if isinstance(found.meta, dict) else {}
        if found.shape != self.job.shape or meta.get("options") != repr(self.job.options):
            raise InputError(f"{path} is the checkpoint of another training", "delete it to begin anew")
        self.model.load_state_dict(found.weights)
        optimizer.restore(self.adamw, found.rest)
        self.done, self.log, self.samples = int(meta["done"]), str(meta["log"]), str(meta["samples"])

    def save(self) -> None:
        """The checkpoint, where one is wanted."""
        if self.path and self.group.first:
            meta = {"options": repr(self.job.options), "done": self.done, "log": self.log, "samples": self.samples}
            checkpoint.write(self.path, self.model, self.job.label, meta, optimizer.state(self.adamw))

    def take(self, step: Step) -> None:
        """Logs a step."""
        options = self.job.options
        self.done = step.number
        if not self.group.first:
            return
        if step.val_loss is not None or step.number % options.log_every == 0 or step.number == 1:
            line: dict[str, Any] = {"step": step.number, "loss": round(step.loss, 6), "lr": round(step.lr, 9)}
            if step.val_loss is not None:
                line["val_loss"] = round(step.val_loss, 6)
            self.log += json.dumps(line, separators=(",", ":")) + "\n"
        seconds = time.monotonic() - self.started
        tokens = (step.number - self.first) * options.batch * self.job.shape.context
        progress({"done": step.number, "of": options.steps, "loss": step.loss, "tok_s": tokens / max(seconds, 1e-9)})
        if self.job.scratch and step.number % options.log_every == 0:
            with (self.job.scratch / TIMES).open("a") as times:
                times.write(json.dumps({"step": step.number, "seconds": round(seconds, 3),
                                        "tok_s": round(tokens / max(seconds, 1e-9))}) + "\n")
        if step.number % options.sample_every == 0 or step.number == options.steps:
            self.samples += sample(self.job, self.model, step.number)
        if step.val_loss is not None:
            print(f"step {step.number}: loss {step.loss:.4f}, held out {step.val_loss:.4f}")
        if step.number % options.save_every == 0:
            self.save()


def work(args: argparse.Namespace) -> None:
    """Trains and writes the files."""
    where = device.device(args.device)
    job = prepare(args)
    group = join(where)
    torch.manual_seed(job.options.seed)
    state = Run(job, make(job.shape).to(where), group)
    wrapped = torch.compile(state.model) if job.options.compile else None
    try:
        for step in train(state.model, state.adamw, job.source, job.held_out, job.options, group, state.done, wrapped):
            state.take(step)
            if _stopped:  # in the middle of a step weights and optimizer would not fit together
                state.save()
                raise SystemExit(128 + _stopped[0])
    finally:
        group.end()
    if group.first:
        checkpoint.write(args.out, state.model, job.label, {"steps": state.done})
        write_file(args.metrics, state.log.encode())
        write_file(args.samples, state.samples.encode())


def _stop(signum: int, frame: FrameType | None) -> None:
    _stopped.append(signum)


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    for wish in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wish, _stop)
    return run(lambda: work(args))


if __name__ == "__main__":
    sys.exit(main())
