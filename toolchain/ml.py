"""Programs of model/ that need PyTorch: they run in the pinned root `ml`, or by this machine's own Python.

What they say goes to stderr as it comes, but for lines that start with PROGRESS: those are JSON, for a progress bar.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from toolchain.errors import UserError
from toolchain.executors import Job
from toolchain.plugin import Session
from toolchain.ui import PROGRESS as PROGRESS

ROOT = "ml"
_HINT = "pip install torch numpy safetensors tokenizers sentencepiece tiktoken; toolchain=auto brings its own"


def run(current: Session, module: str, args: Sequence[str], files: Mapping[str, Path], out: Path,
        on_line: Callable[[str], None]) -> None:
    """`python3 -m MODULE ARGS` in a folder that holds model/ and `files` (path there -> file, which it cannot change).

    All that it leaves in its folder `out/` is moved to `out`, when it has succeeded. UserError where it fails; its
    lines `error:` and `hint:` are that error's.
    """
    store = current.graph.store.folder
    with tempfile.TemporaryDirectory(prefix="ml-", dir=store / "tmp") as name:
        work = Path(name)
        shutil.copytree(current.root / "model", work / "model", ignore=shutil.ignore_patterns("__pycache__"))
        (work / "out").mkdir()
        for path in files:
            (work / path).parent.mkdir(parents=True, exist_ok=True)
        said: list[str] = []

        def take(line: str) -> None:
            if line.startswith(("error: ", "hint: ")):
                said.append(line.partition(": ")[2])
            else:
                on_line(line)

        job = Job(module, ("python3", "-m", module, *args), work, ROOT,
                  {path: file.absolute() for path, file in files.items()})
        status = current.graph.executor.run(job, take)
        if status != 0:
            lacking = status == 1 and not said and current.graph.executor.name == "host"
            what = said[0] if said else f"{module} failed with status {status}"
            raise UserError(what, said[1] if len(said) > 1 else _HINT if lacking else "the lines above say why")
        out.mkdir(parents=True, exist_ok=True)
        for made in sorted((work / "out").iterdir()):
            shutil.move(made, out / made.name)
