"""The engine beside llama.cpp and beside this machine's memory, and booted: random Llama models of 15 and 110 million
parameters (the shapes of llama2.c's stories), fp32 and Q8_0, all in one run.

    INGOT_PEERS=PYTHON ./doit bench engine        llama.cpp is measured where that Python has llama-cpp-python
    .venv/bin/python bench/engine.py [--quick] [--markdown] [--no-boot] [--json FILE]

Both programs get the same GGUF file, the same 8 tokens of prompt and 128 tokens to make, by turns, each in a process of
its own; for llama.cpp the time of llama_decode alone is counted. Medians of five.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
PLACE = ROOT / "build" / "bench"
INGOT = ROOT / "build" / "host" / "ingot"
HERE = Path(__file__).resolve().parent
PROMPT = "abcdefgh"  # 8 tokens, and bos
AIMS = {("110m", "Q8_0"): 12.0, ("110m", "F32"): 2.0, ("15m", "Q8_0"): 60.0}  # tok/s booted under TCG


@dataclass(frozen=True)
class Size:
    """A shape of models; heads are not grouped and the head is tied."""

    name: str
    width: int
    layers: int
    heads: int
    hidden: int
    context: int


@dataclass(frozen=True)
class Plan:
    """What is measured, and how long."""

    sizes: tuple[Size, ...]
    runs: int
    tokens: int
    booted: int  # tokens
    memory_mib: int


FULL = Plan((Size("15m", 288, 6, 6, 768, 256), Size("110m", 768, 12, 12, 2048, 1024)), 5, 128, 64, 512)
QUICK = Plan((Size("quick", 64, 2, 2, 128, 128),), 1, 8, 8, 16)
VOCAB = 32000


# -- models -----------------------------------------------------------------------------------------


def model_file(size: Size, kind: str) -> Path:
    """A GGUF of random weights, always the same: made where it is not there."""
    import numpy as np
    from gguf import GGUFWriter, quants

    from tests.engine import llamas, tokenizers

    path = PLACE / f"bench-{size.name}-{kind.lower()}.gguf"
    if path.exists():
        return path
    PLACE.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    writer = GGUFWriter(partial, "llama")
    writer.add_name(path.stem)
    writer.add_context_length(size.context)
    writer.add_embedding_length(size.width)
    writer.add_block_count(size.layers)
    writer.add_feed_forward_length(size.hidden)
    writer.add_head_count(size.heads)
    writer.add_head_count_kv(size.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(size.width // size.heads)
    words = {b"%05d" % token: float(-token) for token in range(VOCAB - 259)}
    tokenizers.add_vocabulary(writer, "llama", tokenizers.spm_pieces(words), bos_token_id=1, eos_token_id=2,
                              unknown_token_id=0, add_bos_token=True, add_space_prefix=False)
    shape = llamas.Shape(size.context, size.layers, size.heads, size.heads, size.width, size.hidden, VOCAB)
    for name, tensor in llamas.random_tensors(shape, tied=True, scale=0.02).items():
        of = llamas.QUANTS[kind if tensor.ndim == 2 else "F32"]
        writer.add_tensor(name, quants.quantize(np.ascontiguousarray(tensor), of), raw_dtype=of)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    partial.rename(path)
    return path


# -- this machine -----------------------------------------------------------------------------------


def bandwidth(plan: Plan, threads: int) -> float:
    """GB/s that this many threads read from memory."""
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/bandwidth"
        subprocess.run(["gcc", "-O2", "-pthread", HERE / "bandwidth.c", "-o", program], check=True)
        done = subprocess.run([program, str(threads), str(plan.memory_mib)], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[0])


def host(model: Path, tokens: int, threads: int) -> float:
    """tok/s of our decoding."""
    argv = [INGOT, model, "-j", str(threads), "-t", "0", "-i", PROMPT, "--tokens", str(tokens)]
    told = subprocess.run(argv, capture_output=True, check=True).stderr.decode()
    stats = dict(re.findall(r"(\w+)=([\d.]+)", told[told.index("[stats]"):]))
    if (int(stats["tokens"]), int(stats["prompt_tokens"])) != (tokens, 8):
        raise SystemExit(f"{model.name}: {stats['prompt_tokens']} tokens of prompt and {stats['tokens']} made")
    return float(stats["tok_s"])


def host_bench(model: Path, threads: int) -> dict[str, Any]:
    """--bench: prefill_tok_s of half the context, bytes_per_token, kernel."""
    argv = [INGOT, model, "-j", str(threads), "--bench"]
    return dict(json.loads(subprocess.run(argv, capture_output=True, check=True).stdout))


def on_host(plan: Plan, size: Size, kind: str, threads: int, peer: bool) -> dict[str, Any]:
    """One row of the first table."""
    from tests import peers

    model = model_file(size, kind)
    ours, theirs, ours_prefill, theirs_prefill = [], [], [], []
    bench: dict[str, Any] = {}
    for _ in range(plan.runs):
        ours.append(host(model, plan.tokens, threads))
        bench = host_bench(model, threads)
        ours_prefill.append(bench["prefill_tok_s"])
        if peer:
            found = peers.ask("llama_speed", model=str(model), prompt=PROMPT, tokens=plan.tokens, threads=threads,
                              context=size.context, prefill=size.context // 2)
            theirs.append(plan.tokens / found["decode_s"])
            theirs_prefill.append(size.context // 2 / found["prefill_s"])
    row = {"model": size.name, "type": kind, "threads": threads, "kernel": bench["kernel"],
           "bytes_per_token": bench["bytes_per_token"], "tok_s": statistics.median(ours),
           "prefill_tok_s": statistics.median(ours_prefill), "spread": [min(ours), max(ours)]}
    if peer:
        row |= {"llama_cpp_tok_s": statistics.median(theirs), "llama_cpp_spread": [min(theirs), max(theirs)],
                "llama_cpp_prefill_tok_s": statistics.median(theirs_prefill)}
    return row


def booted(plan: Plan, size: Size, kind: str) -> dict[str, Any]:
    """boot.json's numbers of a boot on QEMU's emulator with two cores."""
    model = model_file(size, kind)
    argv = [sys.executable, "-m", "toolchain", "boot", f"model={model}", "accel=tcg", "smp=2", "temp=0",
            f"tokens={plan.booted}", f"prompt={PROMPT}"]
    subprocess.run(argv, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    told = json.loads((ROOT / "build/models" / model.stem / "boot.json").read_text())
    if (told["tokens"], told["prompt_tokens"]) != (plan.booted, 8):
        raise SystemExit(f"{model.name}: {told['prompt_tokens']} tokens of prompt and {told['tokens']} made")
    return {"model": size.name, "type": kind, "tok_s": told["tok_s"], "kernel": told["kernel"],
            "boot_ms": told["boot_ms"], "aim": AIMS.get((size.name, kind))}


# -- what is shown ----------------------------------------------------------------------------------


def table(head: list[str], rows: list[list[str]], markdown: bool) -> str:
    """Columns, the first to the left."""
    if markdown:
        rule = ["---", *["---:"] * (len(head) - 1)]
        return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return "\n".join("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w)
                               for i, (cell, w) in enumerate(zip(row, widths, strict=True))) for row in [head, *rows])


def ratio(ours: float, theirs: float | None) -> str:
    """How many times faster."""
    return "-" if theirs is None else f"{ours / theirs:.2f}x"


def number(value: float | None) -> str:
    """Three digits, or more."""
    return "-" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def host_cells(row: dict[str, Any], speeds: dict[int, float]) -> list[str]:
    """A row of the host's table."""
    share = row["tok_s"] * row["bytes_per_token"] / 1e9 / speeds[row["threads"]]
    theirs, prefill = row.get("llama_cpp_tok_s"), row.get("llama_cpp_prefill_tok_s")
    return [f"{row['model']} {row['type']}, {row['threads']} thread{'s' if row['threads'] > 1 else ''}",
            number(row["tok_s"]), number(theirs), ratio(row["tok_s"], theirs), f"{100 * share:.0f} %",
            number(row["prefill_tok_s"]), number(prefill), ratio(row["prefill_tok_s"], prefill)]


HOST_HEAD = ["on the host", "tok/s", "llama.cpp", "ratio", "of bandwidth", "prefill", "llama.cpp", "ratio"]
BOOT_HEAD = ["booted, TCG, two cores", "tok/s", "aim"]
LOAD_HEAD = ["hand-off to prompt, TCG", "MB", "s"]


def show(found: dict[str, Any], markdown: bool) -> str:
    """All tables."""
    speeds = {int(threads): gbs for threads, gbs in found["bandwidth_gb_s"].items()}
    reads = ", ".join(f"{gbs:.1f} GB/s with {threads}" for threads, gbs in speeds.items())
    parts = [f"{found['cpu']}, {found['cores']} cores; memory is read at {reads}",
             table(HOST_HEAD, [host_cells(row, speeds) for row in found["host"]], markdown)]
    if found["booted"]:
        parts.append(table(BOOT_HEAD, [[f"{row['model']} {row['type']}", number(row["tok_s"]), number(row["aim"])]
                                       for row in found["booted"]], markdown))
    if found["load"]:
        parts.append(table(LOAD_HEAD, [[f"cpu={row['cpu']}, {'sha256 checked' if row['checked'] else 'not checked'}",
                                        f"{row['bytes'] / 1e6:.0f}", f"{row['prompt_s']:.1f}"]
                                       for row in found["load"]], markdown))
    return "\n\n".join(parts)


def cpu_name() -> str:
    """As the kernel has it."""
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def main(argv: list[str] | None = None) -> None:
    """Measures, prints, writes JSON."""
    parser = argparse.ArgumentParser(description="The engine beside llama.cpp and memory, and booted.")
    parser.add_argument("--quick", action="store_true", help="a tiny model, once: whether it runs at all")
    parser.add_argument("--markdown", action="store_true", help="the tables as README.md has them")
    parser.add_argument("--no-boot", action="store_true", help="the host alone")
    parser.add_argument("--json", type=Path, default=PLACE / "engine.json", metavar="FILE")
    args = parser.parse_args(argv)
    from toolchain.extras import ensure
    from toolchain.ui import Ui

    ensure("pytest", Ui())  # gguf, numpy and the machine of the tests
    from bench import load
    from tests import peers

    plan, peer = QUICK if args.quick else FULL, peers.has("llama-cpp-python")
    if not peer:
        print("no llama-cpp-python: INGOT_PEERS names a Python that has it (docs/changing.md)", file=sys.stderr)
    kinds = [(size, kind) for size in plan.sizes for kind in ("Q8_0", "F32")]
    found: dict[str, Any] = {
        "cpu": cpu_name(), "cores": os.cpu_count(), "llama_cpp": peers.ask("version", package="llama-cpp-python")
        if peer else None, "bandwidth_gb_s": {threads: bandwidth(plan, threads) for threads in (1, 2)},
        "host": [on_host(plan, size, kind, threads, peer) for size, kind in kinds for threads in (1, 2)],
        "booted": [] if args.no_boot else [booted(plan, size, kind) for size, kind in kinds],
        "load": [] if args.no_boot else [asdict(row) for row in load.measure(load.SMALL if args.quick else load.LARGE)],
    }
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(found, indent=1) + "\n")
    print(show(found, args.markdown))


if __name__ == "__main__":
    main()
