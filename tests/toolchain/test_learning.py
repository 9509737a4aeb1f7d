"""Recipes whose model learns in PyTorch: a small one from texts to the host program; its stages, keys and bars."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from model.datasets import archive
from tests.project import Project, clone
from toolchain.errors import UserError
from toolchain.python import program_files
from toolchain.roots.folder import RootFolder
from toolchain.shards import of_user
from toolchain.store import Store, default_folder
from toolchain.ui import Ui

RECIPE = """\
title: Tiny
dataset: {text: texts}
tokenizer: {kind: bpe, vocab: 300}
model: {preset: 260k, layers: 1, width: 32, heads: 4, kv_heads: 2, hidden: 44, context: 32}
train: {steps: 30, batch: 4, learning_rate: 0.01, warmup: 5, log_every: 5, evaluate_every: 15, sample_every: 30,
        threads: 1}
export: {also: [huggingface, header]}
"""


def stories(seed: int) -> str:
    rng = random.Random(seed)
    words = ["cat", "dog", "hat", "mat", "sat", "ran", "little", "big", "red"]
    return "<|endoftext|>".join("Once upon a time a " + " ".join(rng.choices(words, k=40)) for _ in range(40))


@pytest.fixture(scope="module")
def tiny(smoke_template: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Built by two threads."""
    RootFolder(Store(default_folder()), Ui()).ensure("ml")
    made = clone(smoke_template, tmp_path_factory.mktemp("tiny"))
    (made.folder / "images/tiny.yaml").write_text(RECIPE)
    (made.folder / "texts").mkdir()
    for name in ("a", "b"):
        (made.folder / f"texts/{name}.txt").write_text(stories(ord(name)))
    built = made.doit("image=tiny", "-n", "2")
    assert "held out" in built.stderr and "\x1e" not in built.stderr and '{"done"' not in built.stderr
    return made


def test_it_is_built_once(tiny: Project) -> None:
    again = tiny.doit("image=tiny", "-n", "2")
    assert "up to date" in again.stderr and "built" not in again.stderr
    stages = tiny.manifest("tiny")
    assert {"tokenizer", "pretokenise:a", "pretokenise:b", "train", "export", "image"} <= stages.keys()
    assert "ATEN_CPU_CAPABILITY=avx2" in stages["train"]["parameters"]["argv"]
    assert "OMP_NUM_THREADS=1" in stages["train"]["parameters"]["argv"]
    records = [json.loads(line) for line in (tiny.folder / "build/tiny/train.jsonl").read_text().splitlines()]
    assert records[-1]["step"] == 30 and records[-1]["loss"] < records[0]["loss"] - 1


def test_other_programs_files_lie_beside_the_model(tiny: Project) -> None:
    here = tiny.folder / "build/tiny"
    assert {file.name for file in (here / "huggingface").iterdir()} == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert json.loads((here / "huggingface/config.json").read_text())["architectures"] == ["LlamaForCausalLM"]
    assert "static const float model_0_q_w[32 * 32] = {" in (here / "model.h").read_text()


def test_engine_and_pytorch_say_the_same(tiny: Project) -> None:
    prompt = "prompt=Once upon a time a big"
    engine = tiny.doit("generate", "image=tiny", prompt, "tokens=20", "temp=0").stdout
    ours = tiny.doit("infer", "image=tiny", prompt, "max_tokens=20").stdout
    assert engine.rstrip("\n") == ours.rstrip("\n") and len(ours) > len("Once upon a time a big") + 10


def test_another_text_is_another_shard_alone(tiny: Project, tmp_path: Path) -> None:
    other = clone(tiny, tmp_path)
    (other.folder / "texts/c.txt").write_text(stories(7))
    plan = other.doit("plan", "image=tiny").stdout
    lines = {line.split()[1]: line for line in plan.splitlines()[1:] if line.strip()}
    assert "run" in lines["tokenizer"] and "run" in lines["pretokenise:c"]  # a bpe is made of all texts
    other.edit("images/tiny.yaml", "{kind: bpe, vocab: 300}", "{kind: bytes}")
    (other.folder / "texts/c.txt").unlink()
    other.doit("image=tiny", "pretokenise")
    (other.folder / "texts/c.txt").write_text(stories(7))
    built = other.doit("image=tiny", "pretokenise").stderr
    assert "pretokenise:c" in built and "pretokenise:a " not in built


def test_after_kill_9_finished_shards_are_there(tiny: Project, tmp_path: Path) -> None:
    other = clone(tiny, tmp_path)
    other.edit("images/tiny.yaml", "{kind: bpe, vocab: 300}", "{kind: bytes}")
    (other.folder / "texts/z.txt").write_text(stories(7) * 2000)
    child = other.start("image=tiny", "pretokenise")
    assert child.stderr is not None
    shard, done = re.compile(r"built +pretokenise:(\w)"), set[str]()
    while not done & {"a", "b"}:  # the long one is being made next, if it is not the one after
        done.update(shard.findall(child.stderr.readline()))
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    built = other.doit("image=tiny", "pretokenise").stderr
    assert set(shard.findall(built)) == {"a", "b", "z"} - done and done != {"a", "b", "z"}


@pytest.mark.parametrize("words, what", [
    (["image=tiny", "nproc=0"], "nproc=0"), (["image=tiny", "nproc=two"], "nproc=two"),
    (["image=tiny", "scheduler=here"], "scheduler=here is not the address of a Dask cluster"),
    (["image=tiny", "scheduler=tcp://127.0.0.1:9"], "scheduler=tcp://127.0.0.1:9 needs toolchain=host"),
    (["image=smoke", "nproc=2"], "no command or stage knows the variable nproc=2"),
    (["image=tiny", "plan", "data_dir=nowhere"], ""),
])
def test_what_cannot_be(words: list[str], what: str, tiny: Project) -> None:
    said = tiny.doit(*words, status=None)
    assert (said.returncode != 0) == bool(what) and what in said.stderr and "Traceback" not in said.stderr


def test_two_processes_are_another_key(tiny: Project) -> None:
    lines = tiny.doit("plan", "image=tiny", "nproc=2").stdout.splitlines()
    assert [line.split()[0] for line in lines if line.split()[1:2] == ["train"]] == ["run"]


def test_a_cluster_is_no_part_of_the_key(tiny: Project, tmp_path: Path) -> None:
    """Its shards are ours (tests/model/test_dask.py), so that what was made here is not made there again."""
    other = clone(tiny, tmp_path)
    other.edit("images/tiny.yaml", "{kind: bpe, vocab: 300}", "{kind: bytes}")
    words = ["image=tiny", "toolchain=host", "scheduler=tcp://127.0.0.1:9"]
    refused = other.doit(*words, "pretokenise", status=None)
    assert refused.returncode != 0 and "Traceback" not in refused.stderr
    assert "Dask cluster" in refused.stderr or "does not answer" in refused.stderr
    other.doit(*words[:-1], "pretokenise")
    planned = {line.split()[1]: line.split()[0] for line in other.doit("plan", *words).stdout.splitlines() if line}
    assert (planned["pretokenise:a"], planned["train"]) == ("stay", "run")


# -- parts --


def test_files_of_a_program() -> None:
    found = program_files("model.train")
    assert {"model/train.py", "model/shapes.py", "model/training/loop.py", "model/tokenizers/llama.py"} <= set(found)
    assert not {"model/infer.py", "model/pretokenise.py", "model/tokenizers/__main__.py"} & set(found)
    assert "model/tokenizers/__main__.py" in program_files("model.tokenizers")


class Given:
    """As much of a Session as of_user looks at."""

    def __init__(self, root: Path, **given: str) -> None:
        self.root, self.given = root, given


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def test_texts_of_the_user(here: Path) -> None:
    (here / "in/more").mkdir(parents=True)
    (here / "in/my story.txt").write_text("a")
    (here / "in/more/b.json").write_text("[]")
    (here / "in/picture.png").write_text("")
    (here / "plain").write_text("a")
    current = Given(here)
    assert of_user(current, "in") == {"texts/b.json": "in/more/b.json",  # type: ignore[arg-type]
                                      "texts/my-story.txt": "in/my story.txt"}
    assert of_user(current, "plain") == {"texts/plain.txt": "plain"}  # type: ignore[arg-type]
    found = of_user(Given(here, data_dir=str(here / "in")), "more")  # type: ignore[arg-type]
    assert found == {"texts/b.json": "in/more/b.json"}
    (here / "in/b.txt").write_text("b")
    (here / "empty").mkdir()
    for text, what in (("in", "two files"), ("empty", "holds no text"), ("none", "there is no none")):
        with pytest.raises(UserError, match=what):
            of_user(current, text)  # type: ignore[arg-type]


def test_archives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as out:
        for name in ("./data01.json", "./data00.json", "._data00.json", "../../data02.json", "readme"):
            info = tarfile.TarInfo(name)
            info.size = len(name)
            out.addfile(info, BytesIO(name.encode()))
        link = tarfile.TarInfo("a.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(link)
    outs = [str(tmp_path / f"shard{i}.json") for i in range(3)]
    assert archive.main([f"{tmp_path}/a.tar.gz", "--out", *outs]) == 0
    assert [Path(out).read_text() for out in outs] == ["../../data02.json", "./data00.json", "./data01.json"]
    assert archive.main([f"{tmp_path}/a.tar.gz", "--out", *outs, f"{tmp_path}/more"]) == 1
    assert "has 3 texts, not 4" in capsys.readouterr().err
    whole = (tmp_path / "a.tar.gz").read_bytes()
    for damaged in (whole[:-40], whole[:50], b"no archive"):
        (tmp_path / "b.tar.gz").write_bytes(damaged)
        assert archive.main([f"{tmp_path}/b.tar.gz", "--out", outs[0]]) == 1
        said = capsys.readouterr().err
        assert "no whole tar.gz" in said and said.count("\n") == 2


def test_bars(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolchain.ui._PLAIN_EVERY", -1.0)
    ui = Ui()
    with ui.running("train"):
        ui.line("train", '\x1e{"done": 10, "of": 1000, "loss": 2.5, "tok_s": 12345.6}')
        ui.line("train", '\x1e{"done": 20, "of": 1000, "loss": 2.25, "tok_s": 12345.6}')
        for odd in ("\x1e", "\x1e[]", '\x1e{"done": "x", "of": 2}', '\x1e{"done": 1}'):
            ui.line("train", odd)
        ui.line("train", "step 20")
    first, second, third = capsys.readouterr().err.splitlines()
    assert first.strip() == "train 1 % 10 of 1,000, loss 2.500, 12,346 tok/s"
    assert "20 of 1,000, loss 2.250, 12,346 tok/s, " in second and second.endswith(" left") and "step 20" in third
