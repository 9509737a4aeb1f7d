"""The texts of an archive, as TinyStories comes: 50 JSON files in a tar.gz, each of which becomes a shard.

    python3 -m model.datasets.archive corpus.tar.gz --out shard00.json shard01.json
"""

from __future__ import annotations

import argparse
import sys
import tarfile
import zlib
from pathlib import Path

from model.program import InputError, progress, run, write_file

SUFFIXES = (".json", ".txt", ".md")
MOST_FILES, MOST_BYTES = 10_000, 1 << 32  # of an archive, of one text


def names(archive: tarfile.TarFile) -> list[str]:
    """Its texts, sorted. What is no plain file does not count; no name is ever used as a path."""
    found = set()
    for number, member in enumerate(archive):
        if number >= MOST_FILES:
            raise InputError(f"the archive has more than {MOST_FILES:,} files", "give an archive of texts")
        hidden = member.name.rpartition("/")[2].startswith(".")
        if member.isreg() and member.name.endswith(SUFFIXES) and not hidden:
            if member.size > MOST_BYTES:
                raise InputError(f"{member.name} in the archive has {member.size:,} bytes", f"{MOST_BYTES:,} at most")
            found.add(member.name)
    return sorted(found)


def unpack(path: Path, outs: list[Path]) -> None:
    """Writes the first texts to `outs`, in order of their names. InputError for an archive that has not so many."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            wanted = names(archive)[:len(outs)]
            if len(wanted) < len(outs):
                raise InputError(f"{path} has {len(wanted)} texts, not {len(outs)}", "ask for fewer shards")
            to = dict(zip(wanted, outs, strict=True))
        done = 0
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                out = to.pop(member.name, None)
                content = archive.extractfile(member) if out and member.isreg() else None
                if out and content:
                    write_file(out, content.read())
                    done += 1
                    progress({"done": done, "of": len(outs)})
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is no whole tar.gz: {error}", "download it anew") from None


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m model.datasets.archive", allow_abbrev=False)
    parser.add_argument("archive", type=Path, help="a tar.gz of texts")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help="the files to write, one a text")
    args = parser.parse_args(argv)
    return run(lambda: unpack(args.archive, args.out))


if __name__ == "__main__":
    sys.exit(main())
