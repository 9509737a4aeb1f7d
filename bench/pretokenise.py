"""Pretokenising on all cores beside one SentencePiece process: the same text, the same tokenizer, the same ids.

    python3 bench/pretokenise.py [--data ../shared/data] [--mb 50] [--jobs 2]

Needs llama2-tokenizer.model and tinystories-sample.txt of ../shared/data; without sentencepiece it runs itself in the
toolchain root ml. The text is that sample again and again, in each copy with other names, so that words repeat as they
do in TinyStories: often, but not all of them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import sys
import time
from array import array
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SHARDS = 10


def stories(sample: str, size: int) -> Iterator[str]:
    """Stories of about `size` bytes: one word in fifty is another one, made up."""
    rng = random.Random(1)
    told = [story.strip() for story in sample.split("<|endoftext|>") if story.strip()]
    names = ["".join(rng.choices("abcdefghijklmnoprstuvwy", k=rng.randrange(3, 9))).capitalize() for _ in range(30_000)]
    done = 0
    while done < size:
        words = rng.choice(told).split(" ")
        for i in range(rng.randrange(50), len(words), 50):
            words[i] = rng.choice(names)
        story = " ".join(words)
        done += len(story.encode()) + 1
        yield story


def reference(whole: Any, texts: list[str]) -> bytes:
    """Ids of all documents by SentencePiece, <s> before each, as uint16."""
    out = bytearray()
    for text in texts:
        out += array("H", [1, *whole.encode(text)]).tobytes()
    return bytes(out)


def in_root(args: argparse.Namespace) -> int:
    """This program in the root ml, which has sentencepiece."""
    from toolchain.executors import Job
    from toolchain.executors.sandbox import Sandbox
    from toolchain.roots.folder import RootFolder
    from toolchain.store import Store, default_folder
    from toolchain.ui import Ui

    with TemporaryDirectory() as name:
        blobs = {"model": ROOT / "model", "bench": ROOT / "bench", "data": args.data.resolve()}
        for path in blobs:
            (Path(name) / path).mkdir()
        argv = ("python3", "bench/pretokenise.py", "--data", "data", "--mb", str(args.mb), "--jobs", str(args.jobs))
        job = Job("bench/pretokenise.py", argv, Path(name), "ml", blobs)
        return Sandbox(RootFolder(Store(default_folder()), Ui()), default_folder()).run(job, print)


def measure(args: argparse.Namespace) -> None:
    """Prints one JSON object."""
    import sentencepiece

    from model import documents, pretokenise
    from model.tokenizers import table
    from model.tokenizers.llama import from_sentencepiece

    model = args.data / "llama2-tokenizer.model"
    told = list(stories((args.data / "tinystories-sample.txt").read_text(), args.mb * 1_000_000))
    size = sum(len(story.encode()) for story in told) / 1e6
    with TemporaryDirectory() as name:
        folder = Path(name)
        table.write(folder / "tokenizer.json", from_sentencepiece(model))
        for shard in range(SHARDS):
            part = [{"story": story} for story in told[shard::SHARDS]]
            (folder / f"data{shard:02}.json").write_text(json.dumps(part))
        (folder / "out").mkdir()
        paths = [str(path) for path in sorted(folder.glob("data*.json"))]
        started = time.perf_counter()
        work = partial(pretokenise.make_shard, tokenizer=f"{folder}/tokenizer.json", out=f"{folder}/out")
        shards = list(pretokenise.local(work, paths, args.jobs))
        ours = time.perf_counter() - started

        processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
        started = time.perf_counter()
        whole = [[reference(processor, list(part)) for part in documents.split(documents.read(Path(path)))]
                 for path in paths]
        theirs = time.perf_counter() - started
        same = all((folder / f"out/{Path(path).stem}.{kind}.bin").read_bytes() == ids
                   for path, both in zip(paths, whole, strict=True) for kind, ids in zip(("train", "val"), both,
                                                                                        strict=True))
    print(json.dumps({
        "mb": round(size, 1), "tokens": sum(one.train + one.val for one in shards), "jobs": args.jobs,
        "ours_mb_s": round(size / ours, 2), "sentencepiece_mb_s": round(size / theirs, 2),
        "ratio": round(theirs / ours, 2), "ids_identical": same}))


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--mb", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    if not (args.data / "tinystories-sample.txt").is_file():
        print(f"{args.data} holds no tinystories-sample.txt: nothing is measured")
        return 0
    if importlib.util.find_spec("sentencepiece") is None:
        return in_root(args)
    measure(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
