"""A release of an image whose model has learnt in PyTorch: pinned, made, verified; its weights are the lock's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.project import ROOT, Project, clone
from tests.release.project import commit
from toolchain import __version__, release
from toolchain.release import provenance
from toolchain.roots.folder import RootFolder
from toolchain.store import Store, default_folder
from toolchain.ui import Ui

RECIPE = """\
title: Tiny
dataset: {generator: tales, bytes: 40000}
tokenizer: {kind: bpe, vocab: 320}
model: {preset: 260k, layers: 1, width: 32, heads: 4, kv_heads: 2, hidden: 44, context: 32}
train: {steps: 4, batch: 4, warmup: 1, log_every: 2, threads: 1}
export: {FORMAT}
"""


@pytest.mark.slow
@pytest.mark.parametrize("form, names", [("type: Q8_0", ["model.gguf"]),
                                         ("format: llama2c", ["model.bin", "tokenizer.bin"])])
def test_a_release_of_one(form: str, names: list[str], smoke_template: Project, tmp_path: Path) -> None:
    RootFolder(Store(default_folder()), Ui()).ensure("ml")
    made = clone(smoke_template, tmp_path)
    shutil.copy(ROOT / "LICENSE", made.folder)
    (made.folder / "images/tiny.yaml").write_text(RECIPE.replace("FORMAT", form))
    made.doit("forget", "trainer")  # the C trainer has no part in it
    made.doit("lock", "image=tiny")
    commit(made)
    made.doit("release", "image=tiny")
    folder = made.folder / release.DIST / f"tiny-{__version__}"
    checked = made.doit("verify", str(folder))
    assert "Traceback" not in checked.stderr
    said = (folder / release.PROVENANCE).read_text()
    lock = (made.folder / "images/tiny.lock").read_text()
    for name in ("model.safetensors", *names):
        digest, = (line.split()[0] for line in lock.splitlines() if line.endswith(f"/{name}"))
        assert digest in said, name
    assert provenance.read(said.encode())
    assert "Llama" in (folder / release.REPORT).read_text() or "llama" in (folder / release.REPORT).read_text()
