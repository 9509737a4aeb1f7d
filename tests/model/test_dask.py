"""Shards made by a real Dask cluster, a scheduler and two workers in processes of their own, are ours byte for byte."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from model.pretokenise import main
from model.tokenizers import simple, table
from tests import peers

ROOT = Path(__file__).resolve().parent.parent.parent
ENV = {**os.environ, "PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__WORKER__DAEMON": "False"}


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address; two workers have joined it."""
    peers.needs("distributed")
    folder = tmp_path_factory.mktemp("dask")
    with ExitStack() as stack:
        def begin(program: str, *words: str) -> None:
            argv = [peers.interpreter(), "-m", f"distributed.cli.{program}", *words]
            with (folder / f"{program}.log").open("ab") as log:
                child = stack.enter_context(subprocess.Popen(argv, cwd=folder, env=ENV, stdout=log, stderr=log))
            stack.callback(child.terminate)

        begin("dask_scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard", "--scheduler-file=scheduler.json")
        ready = """
import time
from pathlib import Path
while not Path("scheduler.json").exists(): time.sleep(0.05)
from dask.distributed import Client
client = Client(scheduler_file="scheduler.json")
print(client.scheduler.address, flush=True)
client.wait_for_workers(2, timeout=120)
"""
        for worker in ("one", "two"):
            begin("dask_worker", "--scheduler-file=scheduler.json", "--nthreads=1", "--no-nanny", "--no-dashboard",
                  f"--name={worker}", "--death-timeout=60")
        done = subprocess.run([peers.interpreter(), "-c", ready], cwd=folder, env=ENV, capture_output=True, text=True,
                              timeout=180)
        assert done.returncode == 0, done.stderr + (folder / "dask_worker.log").read_text()
        yield done.stdout.strip()


def shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".shard"}


@pytest.mark.slow
def test_a_cluster_makes_the_same_shards(scheduler: str, tmp_path: Path) -> None:
    table.write(tmp_path / "tokenizer.json", simple.words_table("one two three a b"))
    (tmp_path / "in").mkdir()
    for shard in range(6):
        told = [f"one {'ab'[i % 2]} two" for i in range(30 + shard)]
        (tmp_path / f"in/data{shard}.json").write_text(json.dumps(told))
    words = [f"{tmp_path}/in", f"--tokenizer={tmp_path}/tokenizer.json"]
    assert main([*words, f"--out={tmp_path}/here", "--jobs=1"]) == 0
    argv = [peers.interpreter(), "-m", "model.pretokenise", *words, f"--out={tmp_path}/there",
            f"--scheduler={scheduler}"]
    for made in (6, 0):
        done = subprocess.run(argv, cwd=ROOT, env=ENV, capture_output=True, text=True, timeout=180)
        assert done.returncode == 0 and f"6 shards, {made} made" in done.stdout, done.stdout + done.stderr
    assert shards(tmp_path / "there") == shards(tmp_path / "here")
    (tmp_path / "in/data3.json").write_text("{no JSON")
    done = subprocess.run(argv, cwd=ROOT, env=ENV, capture_output=True, text=True, timeout=180)
    assert done.returncode == 1 and done.stderr.startswith("error: ") and "data3.json is not JSON" in done.stderr
    assert "Traceback" not in done.stderr
