"""Texts to shards of token ids, one a file, on all cores or a Dask cluster.

    python3 -m model.pretokenise --tokenizer tokenizer.json --out tokens shards/*.json [--jobs 2]
    python3 -m model.pretokenise --tokenizer tokenizer.json --out tokens shards/*.json --scheduler tcp://HOST:8786

Of NAME.json come NAME.train.bin and NAME.val.bin (nine documents of ten, and the tenth), and NAME.shard, which says
what they were made of: a shard that is there is not made again, a half-written one is.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from model import documents
from model.program import InputError, progress, run, write_file
from model.tokenizers import Tokenizer, load
from model.tokenizers.llama import Llama


@dataclass(frozen=True)
class Shard:
    """What was made of one file: tokens to learn from, and held out."""

    name: str
    train: int
    val: int
    fresh: bool  # not there before


def pack(tokenizer: Tokenizer, texts: Iterable[str]) -> bytes:
    """Ids of all documents: of `llama` bos goes before each, of others eos after it, where there is one."""
    table = tokenizer.table
    kind = "H" if table.vocab <= 1 << 16 else "I"
    before = array(kind, [table.bos] if table.begins and table.bos is not None else []).tobytes()
    after = array(kind, [table.eos] if table.kind in ("gpt2", "words") and table.eos is not None else []).tobytes()
    one: Callable[[str], bytes] = tokenizer.pack if isinstance(tokenizer, Llama) and kind == "H" else (
        lambda text: array(kind, tokenizer.encode(text)).tobytes())
    return b"".join(part for text in texts for part in (before, one(text), after))


def make_shard(source: str, tokenizer: str, out: str) -> Shard:
    """One file's shard; runs in a process of its own, or on a worker that has the same folders."""
    path, folder = Path(source), Path(out)
    name = path.stem
    identity = {"source": _digest(path), "tokenizer": _digest(Path(tokenizer))}
    mark = folder / f"{name}.shard"
    done = _done(mark, identity, folder, name)
    if done:
        return done
    mark.unlink(missing_ok=True)
    found = _tokenizer(tokenizer, identity["tokenizer"])
    train, val = documents.split(documents.read(path))
    width = 2 if found.table.vocab <= 1 << 16 else 4
    counts = {}
    for kind, texts in (("train", train), ("val", val)):
        data = pack(found, texts)
        write_file(folder / f"{name}.{kind}.bin", data)
        counts[kind] = len(data) // width
    write_file(mark, json.dumps({**identity, **counts}).encode())  # last: it says that the others are whole
    return Shard(name, counts["train"], counts["val"], True)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "give the paths of texts") from None


@lru_cache(maxsize=2)
def _tokenizer(path: str, digest: str) -> Tokenizer:
    """Kept from shard to shard, and with it the words that it has seen."""
    return load(Path(path))


def _done(mark: Path, identity: dict[str, str], folder: Path, name: str) -> Shard | None:
    try:
        found: Any = json.loads(mark.read_bytes())
        if {key: found[key] for key in identity} != identity:
            return None
        if not all((folder / f"{name}.{kind}.bin").is_file() for kind in ("train", "val")):
            return None
        return Shard(name, int(found["train"]), int(found["val"]), False)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def local(work: Callable[[str], Shard], sources: Sequence[str], jobs: int) -> Iterator[Shard]:
    """On this machine's cores."""
    if jobs == 1 or len(sources) == 1:
        yield from map(work, sources)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(work, sources)


def cluster(work: Callable[[str], Shard], sources: Sequence[str], scheduler: str) -> Iterator[Shard]:
    """On the workers of a Dask cluster."""
    try:
        from dask.distributed import Client, as_completed
    except ImportError:
        raise InputError("a Dask cluster needs the package distributed", "pip install distributed") from None
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise InputError(f"the scheduler {scheduler} does not answer: {error}",
                         "`dask scheduler` prints its address") from None
    with client:
        for future in as_completed(client.map(work, sources, pure=False)):
            yield future.result()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m model.pretokenise", allow_abbrev=False)
    parser.add_argument("sources", type=Path, nargs="+", help="texts: .json shards, .txt, or folders of them")
    parser.add_argument("--tokenizer", type=Path, required=True, help="a tokenizer.json")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the shards")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--scheduler", default="", help="tcp://HOST:PORT of a Dask cluster that has the same folders")
    args = parser.parse_args(argv)

    def work() -> None:
        sources = [file for source in args.sources for file in documents.of_folder(source)]
        names = [path.stem for path in sources]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"two files are called {name}", "their shards would be one: rename one of them")
        if args.jobs < 1:
            raise InputError(f"--jobs {args.jobs}", "it is 1 or more")
        args.out.mkdir(parents=True, exist_ok=True)
        load(args.tokenizer)  # what is wrong with it is said once
        # A cluster's workers run in folders of their own; here names stay as they were given, in errors too.
        place = Path.absolute if args.scheduler else Path
        one = partial(make_shard, tokenizer=str(place(args.tokenizer)), out=str(place(args.out)))
        paths = [str(place(path)) for path in sources]
        shards = cluster(one, paths, args.scheduler) if args.scheduler else local(one, paths, args.jobs)
        train = val = fresh = 0
        for number, shard in enumerate(shards, 1):
            train, val, fresh = train + shard.train, val + shard.val, fresh + shard.fresh
            progress({"done": number, "of": len(paths)})
        print(f"{len(paths)} shards, {fresh} made: {train:,} tokens to learn from, {val:,} held out")

    return run(work)


if __name__ == "__main__":
    from model.pretokenise import main as named  # a cluster's workers know functions by their module's name

    sys.exit(named())
