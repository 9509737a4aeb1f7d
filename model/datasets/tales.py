"""The default dataset: simple children's stories, told by a grammar written for this project.

    python3 -m model.datasets.tales --seed 1 --bytes 4000000 --out corpus.txt

A story is one line of ASCII text; a blank line follows each. A seed and a size give the same bytes
on any Python >= 3.10.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from model.datasets.story import finding, growing, helping, making
from model.datasets.story.plot import tell
from model.datasets.story.prng import SplitMix64
from model.program import InputError, run, write_file

PLOTS = (*finding.PLOTS, *helping.PLOTS, *growing.PLOTS, *making.PLOTS)
SHORTEST, LONGEST = 400, 900  # bytes of a story
END = "<|endoftext|>"  # model/documents.py


def stories(seed: int) -> Iterator[str]:
    """Stories without end, none told twice."""
    rng = SplitMix64(seed)
    told: set[str] = set()
    while True:
        story = tell(rng.choice(PLOTS), rng)
        if SHORTEST <= len(story) <= LONGEST and story not in told:
            told.add(story)
            yield story


def corpus(seed: int, size: int, between: str = "\n") -> bytes:
    """Whole stories, as many as fit into `size` bytes, and after each the line `between`. Raises InputError where not
    one does."""
    parts: list[bytes] = []
    left = size
    for story in stories(seed):
        part = f"{story}\n{between}".encode("ascii")
        if len(part) > left:
            break
        parts.append(part)
        left -= len(part)
    if not parts:
        raise InputError(f"no story fits into {size} bytes", f"ask for {LONGEST + 2} bytes or more")
    return b"".join(parts)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m model.datasets.tales", allow_abbrev=False)
    parser.add_argument("--seed", type=int, required=True, help="any whole number")
    parser.add_argument("--bytes", type=int, required=True, help="size of the text, at most")
    parser.add_argument("--out", type=Path, required=True, help="the text file to write")
    parser.add_argument("--documents", action="store_true", help="a line <|endoftext|> after each story")
    args = parser.parse_args(argv)
    between = f"{END}\n" if args.documents else "\n"
    return run(lambda: write_file(args.out, corpus(args.seed, args.bytes, between)))


if __name__ == "__main__":
    sys.exit(main())
