"""The first build, as far as it is known: what each stage gave, by whom it was made, and what its key was made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolchain.errors import UserError
from toolchain.files import read_json
from toolchain.key import Fields
from toolchain.manifest import read_lock

Outputs = Mapping[str, Mapping[str, str]]  # stage -> output -> sha256


@dataclass(frozen=True)
class First:
    """`name`: what says so. `fields` holds the stages of which it is known."""

    name: str
    outputs: Outputs
    executors: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Fields] = field(default_factory=dict)
    pinned: bool = True  # whether its tools were those of a root
    built: Outputs = field(default_factory=dict)  # what build/NAME has, where that is not what counts

    def expected(self, stage: str, output: str) -> str | None:
        """The sha256, where it is known."""
        return self.outputs.get(stage, {}).get(output)


@dataclass(frozen=True)
class Made:
    """A build whose manifest is at hand."""

    outputs: Outputs
    executors: Mapping[str, str]
    fields: Mapping[str, Fields]
    taken: frozenset[str]  # stages that were not run: downloads, and hits of a cache
    pinned: bool


def made(path: Path) -> Made | None:
    """manifest.json; None where there is none that can be used."""
    entries = read_json(path)
    try:
        return _made(entries) if isinstance(entries, dict) and entries else None
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def _made(entries: dict[str, Any]) -> Made:
    outputs = {stage: {name: str(output["sha256"]) for name, output in entry["outputs"].items()}
               for stage, entry in entries.items()}
    fields = {}
    for stage, entry in entries.items():
        params = dict(entry["parameters"])
        fields[stage] = {"argv": params.pop("argv", []), "inputs": entry["inputs"], "params": params,
                         "toolchain": entry["toolchain"]}
    return Made(outputs, {stage: str(entry["executor"]) for stage, entry in entries.items()}, fields,
                frozenset(stage for stage, entry in entries.items()
                          if entry["executor"] == "download" or entry["cache"] != "built"),
                all(entry["pinned"] for entry in entries.values()))


def of_folder(image: str) -> First:
    """What this checkout knows: images/NAME.lock decides where there is one, else build/NAME/manifest.json."""
    lock, manifest = Path("images") / f"{image}.lock", Path("build") / image / "manifest.json"
    pins, build = read_lock(lock), made(manifest)
    if not pins and build is None:
        raise UserError(f"there is nothing to compare with: neither {lock} nor {manifest}",
                        f"./doit image={image} builds it a first time")
    if not pins:
        assert build is not None
        return First(str(manifest), build.outputs, build.executors, build.fields, build.pinned)
    pinned: dict[str, dict[str, str]] = {}
    for name, digest in pins.items():
        stage, output = _split(name, build)
        pinned.setdefault(stage, {})[output] = digest
    if build is None:
        return First(str(lock), pinned)
    same = {stage for stage, outputs in build.outputs.items() if outputs == pinned.get(stage)}
    return First(str(lock), pinned, {stage: by for stage, by in build.executors.items() if stage in same},
                 {stage: of for stage, of in build.fields.items() if stage in same}, built=build.outputs)


def _split(name: str, build: Made | None) -> tuple[str, str]:
    """Stage and output of a line of the lock: both may hold a slash, so what was built says where it ends."""
    for stage, outputs in (build.outputs if build is not None else {}).items():
        if name.startswith(f"{stage}/") and name[len(stage) + 1:] in outputs:
            return stage, name[len(stage) + 1:]
    stage, _, output = name.rpartition("/")
    return stage, output
