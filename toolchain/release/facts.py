"""What report.html shows, taken from the build and from the release's files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from toolchain import recipe, release
from toolchain.digest import sha256
from toolchain.plugin import Session
from toolchain.release import gather, report
from toolchain.release.provenance import File, Provenance
from toolchain.release.wish import Wish


def page(current: Session, wish: Wish, said: Provenance, path: Path, image: File, out: Path) -> bytes:
    """report.html; `path` is the image as it was before it was compressed, `out` holds the files made so far."""
    from toolchain.formats import gpt
    from toolchain.release import sign

    with path.open("rb") as file:
        partition = gpt.esp(file, image.size)
    files = tuple(report.FileFact(one.name, one.stat().st_size, sha256(one)) for one in sorted(out.iterdir()))
    name = release.image_of(wish.image, wish.version)
    return report.page(report.Facts(
        name=wish.image, title=recipe.read(current.root, wish.image).title, version=wish.version,
        commit=said.commit, changed=said.changed, forced=said.forced,
        image=report.FileFact(name, image.size, image.sha256), partition=partition.name,
        partition_guid=str(partition.guid), partition_size=partition.size, contents=_contents(path, image.size),
        files=files, losses=report.losses(_bytes(current, "train.jsonl")),
        stages=tuple(report.StageFact(stage.name, stage.executor, stage.fetched, stage.pinned, stage.seconds, stage.key)
                     for stage in said.stages),
        samples=_bytes(current, "samples.txt").decode("utf-8", "replace"),
        signer=None if wish.key is None else sign.fingerprint(wish.key.public_pem),
        secure_boot=wish.cert is not None))


def _contents(path: Path, size: int) -> tuple[report.FileFact, ...]:
    """The files in the image, as another program than the one that wrote it reads them."""
    from toolchain.formats import fat, gpt

    found = []
    with path.open("rb") as file:
        partition = gpt.esp(file, size)
        volume = fat.Fat(file, partition.first, partition.size)
        for entry in volume.files():
            digest = hashlib.sha256()
            for piece in volume.read(entry):
                digest.update(piece)
            found.append(report.FileFact(entry.path, entry.size, digest.hexdigest()))
    return tuple(found)


def _bytes(current: Session, path: str) -> bytes:
    """A small output; nothing where no stage makes it."""
    output = gather.output(current, path)
    return b"" if output is None else current.graph.store.verified(output.sha256, read=True).read_bytes()
