"""What happens after a build: the manifest is written and compared with images/NAME.lock."""

from __future__ import annotations

from pathlib import Path

from toolchain.manifest import differing, manifest, read_lock, write_manifest
from toolchain.plugin import Session


def after_build(current: Session, image: str) -> None:
    """Writes build/IMAGE/manifest.json; warns where the image is not the pinned one.

    A difference is a warning: without a pinned toolchain another gcc is no mistake of the user's.
    """
    if not current.ui.counts:
        return  # nothing was made, so nothing is new
    entries = manifest(current.graph, current.graph.order())
    write_manifest(Path("build") / image / "manifest.json", entries)
    lock = Path("images") / f"{image}.lock"
    wrong = differing(read_lock(lock), entries)
    if wrong and current.command != "lock":
        first = wrong[0].partition("/")[0]
        more = f" (and {len(wrong) - 1} more outputs)" if len(wrong) > 1 else ""
        current.ui.warn(f"stage {first} gave another {wrong[0].partition('/')[2]} than {lock} pins{more}")
