"""Which files an image must hold: those that its stage was given, each under the path that the stage was told."""

from __future__ import annotations

from collections.abc import Mapping

from toolchain.release import EFI, PROVENANCE
from toolchain.release.provenance import Provenance, StageRecord
from toolchain.release.verify import chain
from toolchain.release.verify.image import PROGRAM, Contents
from toolchain.release.verify.lie import Lie, short

MAKER = "image.py"


def wanted(said: Provenance) -> dict[str, str]:
    """Path in the image -> sha256, as the provenance has it; raises Lie."""
    name = f"{said.image}.img"
    chain.product(said, name)
    stage = next(stage for stage in said.stages if name in stage.outputs)
    sources = _sources(stage, name)
    digests = {path: chain.bare(stage.inputs[source]) for path, source in sources.items()}
    if digests.get(PROGRAM) != chain.product(said, EFI).sha256:
        raise Lie(PROVENANCE, f"stage {stage.name}: {PROGRAM} is not the program that was built")
    return {**digests, PROGRAM: said.subjects[EFI]}  # the same one, or the same one signed


def same(contents: Contents, paths: Mapping[str, str], name: str) -> None:
    """The image holds these files and no others; what was changed, added or taken away is named."""
    for held in contents.files:
        if paths.get(held.path) != held.sha256:
            raise Lie(name, f"its file {held.path} is not of this release: {held.size:,} bytes, {short(held.sha256)}")
    for path in sorted(paths.keys() - {held.path for held in contents.files}):
        raise Lie(name, f"it does not hold {path}")


def _sources(stage: StageRecord, name: str) -> dict[str, str]:
    """Path in the image -> input, out of the words that the stage runs; each input is in the image once."""
    match stage.fields.get("argv"):
        case ["python3", maker, "--out", out, "--label", str(), *words] if (maker, out) == (MAKER, name):
            pairs = [str(word).partition("=") for word in words[1::2]]
            found = {path: source for path, _, source in pairs}
            if ({*words[::2]} == {"--file"} and len(found) == len(pairs) == len(words) // 2 and len(words) % 2 == 0
                    and sorted([MAKER, *found.values()]) == sorted(stage.inputs)):
                return found
    raise Lie(PROVENANCE, f"stage {stage.name}: it does not make an image as ingot does")
