"""manifest.json: how each stage of an image was made. images/NAME.lock: what it should give."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from toolchain.errors import UserError
from toolchain.files import atomic, read_json, write_json
from toolchain.graph import Graph
from toolchain.stage import Stage


def manifest(graph: Graph, stages: Iterable[Stage]) -> dict[str, Any]:
    """Per stage that is built: key, inputs, parameters, toolchain digest, executor, outputs, cache, seconds."""
    entries: dict[str, Any] = {}
    for stage in stages:
        record = graph.record(stage)
        result = graph.result(stage)
        if result is None or record.get("key") != result.key:
            continue
        fields = record["fields"]
        entries[stage.name] = {
            "key": result.key,
            "inputs": fields.get("inputs", {}),
            "parameters": {"argv": fields.get("argv", []), **fields.get("params", {})},
            "toolchain": fields.get("toolchain"),
            "executor": result.executor,
            "pinned": not str(fields.get("toolchain", "")).startswith("host:"),
            "outputs": {output.path: {"sha256": output.sha256, "size": output.size} for output in result.outputs},
            "cache": "built" if record["how"] == "built" else "hit",
            "fetched": result.fetched,
            "seconds": result.seconds,
        }
    return entries


def write_manifest(path: Path, value: dict[str, Any]) -> None:
    """Replaces the manifest when it says something new."""
    if read_json(path) != value:
        write_json(path, value)


def read_lock(path: Path) -> dict[str, str]:
    """`stage/output` -> hex sha256; empty where there is no lock."""
    if not path.exists():
        return {}
    pins: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name:
            raise UserError(f"{path}:{number}: not a line of sha256 and output",
                            f"write it again: ./doit lock image={path.stem}")
        pins[name] = digest
    return pins


def write_lock(path: Path, entries: dict[str, Any]) -> int:
    """Writes the outputs' digests; returns how many."""
    lines = [f"{output['sha256']}  {stage}/{name}" for stage, entry in sorted(entries.items())
             for name, output in sorted(entry["outputs"].items())]
    with atomic(path) as out:
        out.write(f"# sha256 of every stage's outputs, written by: ./doit lock image={path.stem}\n".encode())
        out.write("".join(line + "\n" for line in lines).encode())
    return len(lines)


def differing(pins: dict[str, str], entries: dict[str, Any]) -> list[str]:
    """The outputs (`stage/output`) that are not what the lock says, in the order of the build."""
    return [f"{stage}/{name}" for stage, entry in entries.items() for name, output in entry["outputs"].items()
            if pins.get(f"{stage}/{name}", output["sha256"]) != output["sha256"]]
