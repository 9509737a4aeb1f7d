"""Programs in Python as stages: which files they need, and which packages where nothing is pinned."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from toolchain.plugin import session


def program_files(*modules: str) -> list[str]:
    """The project's files that `python3 -m MODULE` imports, now or later; nothing else can change what it does."""
    root = session().root
    found: set[str] = set()
    waiting = [*modules, *(f"{module}.__main__" for module in modules)]
    while waiting:
        for path in _files(root, waiting.pop()):
            if path not in found:
                found.add(path)
                waiting += _imports(root / path)
    return sorted(found)


def _files(root: Path, module: str) -> Iterator[str]:
    """A module's file and those of the packages around it; none for a name in a module."""
    parts = module.split(".")
    whole = "/".join(parts)
    for path in [*("/".join(parts[:i]) + "/__init__.py" for i in range(1, len(parts) + 1)), f"{whole}.py"]:
        if (root / path).is_file():
            yield path


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """The modules that a file may import, and the names in them, which may be modules too."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
    return tuple(found)


def packages(*names: str) -> dict[str, str]:
    """Versions of this machine's packages, for the keys of stages that use them; none where a root holds them."""
    if session().graph.executor.name != "host":
        return {}

    def version(name: str) -> str:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return "missing"

    return {name: version(name) for name in names}
