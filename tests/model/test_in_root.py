"""The tests of tests/ml/, each file run by pytest inside the toolchain root `ml`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.executors.conftest import needs
from tests.project import Project
from toolchain.executors import Job
from toolchain.executors.choose import sandbox_trouble
from toolchain.executors.sandbox import Sandbox
from toolchain.roots.folder import RootFolder
from toolchain.store import Store, default_folder
from toolchain.ui import Ui

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted(path.name for path in (ROOT / "tests/ml").glob("test_*.py"))
DATA = ROOT.parent / "shared" / "data"

# The root's own packages first; .venv has pytest, hypothesis and gguf.
START = """
import sys
sys.path.append("site")
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


def run(name: str, folder: Path, host: Path, *, slow: bool) -> None:
    """Fails with what the inner pytest printed; skips where all of its tests were skipped."""
    roots = RootFolder(Store(default_folder()), Ui())
    work = folder / "work"
    (work / "tests").mkdir(parents=True)
    (work / "pytest.ini").write_text("[pytest]\nmarkers =\n    slow: minutes\n")
    blobs = {"model": ROOT / "model", "tests/ml": ROOT / "tests/ml", "site": Path(pytest.__file__).parent.parent,
             "ingot": host, "train": host.with_name("train")}
    if DATA.is_dir():
        blobs["data"] = DATA
    for path in blobs:  # where each is put
        (work / path).touch() if path in ("ingot", "train") else (work / path).mkdir(exist_ok=True)
    lines: list[str] = []
    argv = ("env", "OMP_NUM_THREADS=1", "python3", "-c", START, "-q", "-x", "-p", "no:cacheprovider", "-rs",
            "--import-mode=importlib", "-m", "slow" if slow else "not slow", f"tests/ml/{name}")
    status = Sandbox(roots, default_folder()).run(Job(f"tests/ml/{name}", argv, work, "ml", blobs), lines.append)
    text = "\n".join(lines)
    if status == 5 or (status == 0 and not re.search(r"\d+ passed", text)):
        pytest.skip(f"nothing to run: {lines[-1] if lines else ''}")
    assert status == 0, text


@pytest.mark.parametrize("name", FILES)
def test_quick(name: str, tmp_path: Path, smoke_template: Project) -> None:
    needs("a sandbox", sandbox_trouble(default_folder()))
    run(name, tmp_path, smoke_template.folder / "build/host/ingot", slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_slow(name: str, tmp_path: Path, smoke_template: Project) -> None:
    needs("a sandbox", sandbox_trouble(default_folder()))
    run(name, tmp_path, smoke_template.folder / "build/host/ingot", slow=True)
