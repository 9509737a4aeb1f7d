"""A training step of the C trainer beside PyTorch on the CPU: same model, batch, context and threads.

    python bench/train_torch.py [--trainer build/host/train] [--text FILE] [--json FILE]

Both run in turns, a process each time; the figures are medians over blocks of steps, the first block of
each turn left out. PyTorch runs a plain nanoGPT: eager, scaled_dot_product_attention, fused AdamW.
"""

from __future__ import annotations

import argparse
import array
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TURNS, BLOCKS = 3, 4
LAYERS, HEADS, WIDTH, VOCAB = 2, 2, 64, 256


@dataclass(frozen=True)
class Case:
    """What is timed; `block`: steps a block."""

    batch: int
    context: int
    threads: int
    block: int


@dataclass(frozen=True)
class Result:
    """Medians, milliseconds a step."""

    batch: int
    context: int
    threads: int
    ours_ms: float
    torch_ms: float
    ratio: float


CASES = [Case(batch, context, threads, 1600 // (batch * context // 64))
         for batch, context in ((8, 64), (32, 64), (8, 256)) for threads in (1, 2)]


def time_trainer(program: Path, tokens: Path, case: Case) -> list[float]:
    """Seconds a step, one number a block, from the trainer's own times."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = {"layers": LAYERS, "heads": HEADS, "width": WIDTH, "context": case.context, "vocab": VOCAB,
                 "batch": case.batch, "threads": case.threads, "steps": case.block * (BLOCKS + 1), "warmup": 1,
                 "lr": 0.004, "decay": 0.1, "seed": 1, "eval-every": 0, "sample-every": 0, "log-every": case.block}
        files = {"train": tokens, "val": tokens.with_suffix(".val"), "out": f"{folder}/w", "log": f"{folder}/l",
                 "samples": f"{folder}/s"}
        words = [word for key, value in {**sizes, **files}.items() for word in (f"--{key}", str(value))]
        subprocess.run([program, *words], check=True, stdout=subprocess.DEVNULL)
        lines = [json.loads(line) for line in Path(folder, "train.times.jsonl").read_text().splitlines()]
    seconds = {line["step"]: line["seconds"] for line in lines}
    ends = [seconds[case.block * i] for i in range(1, BLOCKS + 1)]  # the last block holds the evaluation
    return [(after - before) / case.block for before, after in zip(ends, ends[1:], strict=False)]


def time_torch(tokens: Path, case: Case) -> list[float]:
    """The same from PyTorch, in a process of its own."""
    argv = [sys.executable, __file__, "--worker", json.dumps(asdict(case)), "--text", str(tokens)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": str(case.threads)})
    return [float(value) for value in json.loads(done.stdout)]


def torch_model(torch: Any, context: int) -> Any:
    """nanoGPT of this size; returns loss(x, y) as a module."""
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.ln1, self.ln2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x: Any) -> Any:
            n, t, _ = x.shape
            q, k, v = (z.view(n, t, HEADS, -1).transpose(1, 2) for z in self.qkv(self.ln1(x)).split(WIDTH, 2))
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.proj(mixed.transpose(1, 2).reshape(n, t, WIDTH))
            return x + self.down(functional.gelu(self.up(self.ln2(x)), approximate="tanh"))

    class Model(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.token, self.position = nn.Embedding(VOCAB, WIDTH), nn.Embedding(context, WIDTH)
            self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
            self.norm = nn.LayerNorm(WIDTH)
            for name, parameter in self.named_parameters():
                if parameter.dim() > 1:
                    residual = name.endswith(("proj.weight", "down.weight"))
                    nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * LAYERS) if residual else 0.02)

        def forward(self, x: Any, y: Any) -> Any:
            h = self.token(x) + self.position.weight[: x.shape[1]]
            for block in self.blocks:
                h = block(h)
            logits = functional.linear(self.norm(h), self.token.weight)
            return functional.cross_entropy(logits.view(-1, VOCAB), y.reshape(-1))

    return Model()


def worker(case: Case, tokens: Path) -> list[float]:
    """Trains in PyTorch; seconds a step of each block but the first."""
    import torch

    torch.set_num_threads(case.threads)
    torch.manual_seed(1)
    model = torch_model(torch, case.context)
    groups = [{"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 0.1},
              {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.004, betas=(0.9, 0.95), fused=True)
    ids = torch.tensor(array.array("H", tokens.read_bytes()), dtype=torch.long)

    def step() -> None:
        starts = torch.randint(len(ids) - case.context, (case.batch, 1))
        windows = ids[starts + torch.arange(case.context + 1)]
        loss = model(windows[:, :-1], windows[:, 1:])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    times = []
    for _ in range(BLOCKS):
        begun = time.perf_counter()
        for _ in range(case.block):
            step()
        times.append((time.perf_counter() - begun) / case.block)
    return times[1:]


def measure(program: Path, tokens: Path, case: Case) -> Result:
    """Both in turns."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(TURNS):
        ours += time_trainer(program, tokens, case)
        theirs += time_torch(tokens, case)
    mine, other = statistics.median(ours) * 1000, statistics.median(theirs) * 1000
    return Result(case.batch, case.context, case.threads, round(mine, 3), round(other, 3), round(other / mine, 3))


def machine() -> str:
    """The CPU's name and the cores there are."""
    found = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return f"{found[1] if found else platform.processor()}, {os.cpu_count()} cores"


def write_tokens(text: Path, folder: Path) -> Path:
    """The first 90 % as tokens of bytes, and next to it a short held-out part."""
    data = text.read_bytes() if text.exists() else bytes(32 + (i * 7919 + i // 31) % 95 for i in range(1_000_000))
    cut = len(data) * 9 // 10
    tokens = folder / "tokens"
    tokens.write_bytes(array.array("H", list(data[:cut])).tobytes())
    tokens.with_suffix(".val").write_bytes(array.array("H", list(data[cut : cut + 1000])).tobytes())
    return tokens


def main() -> int:
    """Prints the table; exit status 1 with a hint when something is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", type=Path, default=ROOT / "build/host/train", help="the C trainer")
    parser.add_argument("--text", type=Path, default=ROOT.parent / "shared/data/tinyshakespeare.txt",
                        help="a corpus (without one: made-up bytes, which train no faster or slower)")
    parser.add_argument("--json", type=Path, help="also write the results here")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(worker(Case(**json.loads(args.worker)), args.text)))
        return 0
    try:
        from torch import __version__ as version
    except ImportError:
        print("error: PyTorch is not installed\nhint: pip install torch==2.13.0", file=sys.stderr)
        return 1
    if not args.trainer.exists():
        print(f"error: {args.trainer} does not exist\nhint: ./doit trainer builds it", file=sys.stderr)
        return 1
    print(f"{machine()}; PyTorch {version}; milliseconds a step")
    print("batch  context  threads     ours  PyTorch    ratio")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        tokens = write_tokens(args.text, Path(folder))
        for case in CASES:
            one = measure(args.trainer, tokens, case)
            results.append(one)
            print(f"{one.batch:5}  {one.context:7}  {one.threads:7}  {one.ours_ms:7.2f}  {one.torch_ms:7.2f}  "
                  f"{one.ratio:6.2f}x", flush=True)
    if args.json:
        args.json.write_text(json.dumps({"machine": machine(), "torch": version,
                                         "results": [asdict(one) for one in results]}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
