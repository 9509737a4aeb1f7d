"""What a release says of its build, taken from the graph: each stage's record, the roots, the downloads."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from toolchain.digest import sha256
from toolchain.errors import UserError
from toolchain.manifest import manifest, read_lock
from toolchain.plugin import Session
from toolchain.release import checks, git
from toolchain.release.provenance import File, Origin, Root, Source, StageRecord
from toolchain.roots.lockfile import Lock
from toolchain.stage import Ref, Stage
from toolchain.store import Output

TARGET = "image"  # the stage that a release is of
_CODE = (".py", ".lock", ".yaml")  # what of toolchain/ decides how an image is built
_ARGV = ("dodo.py", "toolchain/cc.py")  # they and the recipe decide what each stage runs


def order(current: Session) -> list[Stage]:
    """The image's stages, each after what it reads."""
    return current.graph.order([TARGET])


def situation(current: Session, tree: git.Tree, image: str, version: str) -> checks.Situation:
    """What the checks look at; of stages that are not built yet, what is known."""
    stages = order(current)
    entries = manifest(current.graph, stages)
    host = [stage.name for stage in stages if stage.download is None
            and current.graph.executor.digest(stage.root, ()).startswith("host:")]
    return checks.Situation(
        image=image, version=version, unpinned=tuple(dict.fromkeys([*host, *checks.unpinned(entries)])), tree=tree,
        inputs=inputs(current, image), changelog=_text(current.root / "CHANGELOG.md"),
        pins=read_lock(Path("images") / f"{image}.lock"),
        made={f"{stage}/{name}": output["sha256"] for stage, entry in entries.items()
              for name, output in entry["outputs"].items()},
        known=frozenset(f"{stage.name}/{name}" for stage in current.graph.stages.values() for name in stage.outputs))


def inputs(current: Session, image: str) -> frozenset[str]:
    """The files of the checkout that the image is made from, and those that say how."""
    read = {source for stage in order(current) for source in stage.inputs.values() if isinstance(source, str)}
    code = {str(path.relative_to(current.root)) for path in (current.root / "toolchain").rglob("*")
            if path.suffix in _CODE and path.is_file()}
    beside = {path.name for path in current.root.glob("*.py")}  # whatever its name, Python may import it from here
    return frozenset({*read, *code, *beside, *sources(current, image), *checked(current, image)})


def sources(current: Session, image: str) -> dict[str, str]:
    """The files that say how an image is built, and that no stage reads -> sha256."""
    return _digests(current.root, [*_ARGV, f"images/{image}.yaml"])


def checked(current: Session, image: str) -> dict[str, str]:
    """The files that only the checks look at, likewise."""
    return _digests(current.root, ["CHANGELOG.md", f"images/{image}.lock"])


def repository(root: Path) -> str:
    """Where the sources can be had, as pyproject.toml says; git's own remotes may name keys and people."""
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        found = toml.loads(_text(root / "pyproject.toml"))["project"]["urls"]["Repository"]
    except (ValueError, KeyError, TypeError):
        return ""
    return found if isinstance(found, str) and found.isprintable() else ""


def records(current: Session) -> tuple[StageRecord, ...]:
    """Every stage of the image as it was made; all of them must be built."""
    return tuple(_record(current, stage) for stage in order(current))


def _record(current: Session, stage: Stage) -> StageRecord:
    result, fields = current.graph.result(stage), current.graph.fields(stage)
    if result is None or fields is None:
        raise UserError(f"stage {stage.name} is not in the store any more", "run the same command again")
    origins = {path: Origin(source.path, source.stage.name) if isinstance(source, Ref) else Origin(source)
               for path, source in sorted(stage.inputs.items())}
    outputs = {output.path: File(output.sha256, output.size) for output in result.outputs}
    return StageRecord(stage.name, result.key, fields, origins, result.executor, outputs, result.seconds,
                       result.fetched)


def output(current: Session, path: str) -> Output | None:
    """The output of this name of one of the image's stages."""
    for stage in order(current):
        if path in stage.outputs:
            result = current.graph.result(stage)
            return result.output(path) if result is not None else None
    return None


def locks(current: Session, stages: Sequence[StageRecord]) -> dict[str, Lock]:
    """The locks of the roots that the stages ran in."""
    named = sorted({stage.toolchain for stage in stages if stage.toolchain and stage.pinned})
    found = {}
    for toolchain in named:
        name = toolchain.partition(":")[0]
        if current.roots.identity(name) == toolchain:
            found[name] = current.roots.lock(name)
    return found


def roots(current: Session, found: dict[str, Lock]) -> tuple[Root, ...]:
    """The same, as the provenance has them."""
    return tuple(Root(name, current.roots.identity(name).partition(":")[2], lock.tree) for name, lock in found.items())


def downloads(current: Session) -> tuple[Source, ...]:
    """The files that came from outside."""
    return tuple(Source(stage.download.name, stage.download.sha256, tuple(stage.download.urls))
                 for stage in order(current) if stage.download is not None)


def _digests(root: Path, paths: Sequence[str]) -> dict[str, str]:
    return {path: sha256(root / path) for path in paths if (root / path).is_file()}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
