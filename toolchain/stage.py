"""What a stage is: a named, pure step from declared inputs to declared outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from toolchain.errors import UserError


@dataclass(frozen=True)
class Ref:
    """One output of a stage, as another stage's input."""

    stage: Stage
    path: str


@dataclass(frozen=True)
class Download:
    """A file from outside, pinned by its content. Where it comes from is no part of the key."""

    name: str
    urls: tuple[str, ...]
    sha256: str
    size: int | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Stage:
    """A step of the graph.

    inputs: path inside the work folder -> a source file (relative to the project), or another stage's output.
    argv: the program and its arguments; it runs in the work folder, where the inputs lie at their paths.
    place: arguments after those that say where the work is done (a cluster's address): they change no byte of what
    comes out, and are not in the key.
    outputs: the files that it must leave there; they appear in `folder`.
    root: the toolchain root that it runs in.
    tools: the programs and files of the machine that it uses where there is no root (toolchain=host): their
    versions are then in the key.
    """

    name: str
    folder: Path
    outputs: tuple[str, ...]
    argv: tuple[str, ...] = ()
    inputs: Mapping[str, str | Ref] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    root: str = "cc"
    tools: tuple[str, ...] = ()
    scratch: bool = False
    notes: tuple[str, ...] = ()  # files of the scratch shown beside the outputs, never stored (timings)
    place: tuple[str, ...] = ()
    download: Download | None = None
    summary: Callable[[Path], Any] | None = None  # something for rich to print once it was built
    doc: str = ""

    def __post_init__(self) -> None:
        for path in (*self.inputs, *self.outputs, *self.notes):
            pure = PurePosixPath(path)
            if pure.is_absolute() or ".." in pure.parts or not pure.parts:
                raise UserError(f"stage {self.name}: {path!r} is not a path inside the work folder",
                                "use relative paths without ..")
            if pure.parts[0] == "scratch" and path not in self.notes:
                raise UserError(f"stage {self.name}: {path!r} lies in scratch/, which is no part of a result",
                                "use another folder")
        paths = Counter(PurePosixPath(path) for path in (*self.inputs, *self.outputs))
        for pure, times in paths.items():
            if times > 1 or any(above in paths for above in pure.parents):
                raise UserError(f"stage {self.name}: {pure} is named twice, or lies in another of its files",
                                "give each input and output a path of its own")
        if not self.outputs:
            raise UserError(f"stage {self.name} declares no output", "name the files that it makes")

    def __repr__(self) -> str:
        return f"stage {self.name}"

    def __getitem__(self, path: str) -> Ref:
        """The output `path`, for another stage's inputs."""
        if path not in self.outputs:
            raise UserError(f"stage {self.name} has no output {path!r}", f"it has {', '.join(self.outputs)}")
        return Ref(self, path)

    def upstream(self) -> list[Stage]:
        """The stages whose outputs this one reads, in the order of its inputs."""
        seen: dict[str, Stage] = {}
        for source in self.inputs.values():
            if isinstance(source, Ref):
                seen.setdefault(source.stage.name, source.stage)
        return list(seen.values())

    def targets(self) -> list[Path]:
        """Where the outputs appear."""
        return [self.folder / output for output in self.outputs]
