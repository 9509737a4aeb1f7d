"""The trainer under the address, undefined-behaviour and thread sanitizers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cbuild import SANITIZE, build
from tests.train.conftest import Run


@pytest.mark.slow
@pytest.mark.parametrize("flags", [SANITIZE, ["-fsanitize=thread", "-g"]], ids=["address", "thread"])
def test_sanitizers(small: Run, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, flags: list[str]) -> None:
    program = build(tmp_path_factory, "train", ("engine", "kernels", "train"), flags)
    run = Run(program, tmp_path / "run", small.options)
    (tmp_path / "scratch").mkdir()
    for kernel in ("scalar", "sse2", "auto"):
        run.with_(kernel=kernel, threads=3, batch=19, steps=4).run()
    checkpointed = run.with_(threads=2, scratch=tmp_path / "scratch", checkpoint_every=5)
    checkpointed.run()
    assert "resumed at step 12" in checkpointed.run().stdout
    run.with_(lr=11).run(status=2)
