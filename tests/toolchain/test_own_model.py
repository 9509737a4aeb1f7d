"""model=FILE: what it takes and refuses, and generate's text of such a file."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from gguf import GGUFReader, quants

from tests.model import hugging_face
from tests.project import Project
from toolchain.errors import UserError
from toolchain.image import FAT32_FILE
from toolchain.own_model import OwnModel, OwnModels, folder_files, own_model
from toolchain.plugin import Session
from toolchain.roots.folder import RootFolder
from toolchain.store import Store, default_folder
from toolchain.ui import Ui

Data = Callable[[str], Path]


def llama2c(folder: Path) -> Path:
    """A file that starts as llama2.c's do."""
    path = folder / "some.bin"
    path.write_bytes(struct.pack("<7i", 64, 172, 5, 8, 4, 512, 512) + bytes(100))
    return path


def refused(project: Project, *words: str) -> tuple[str, str]:
    """The error and the hint, after which nothing was built."""
    done = project.doit(*words, status=None)
    assert done.returncode != 0 and done.stdout == "" and not (project.folder / "build/host").exists()
    error, hint = done.stderr.splitlines()
    assert error.lower().startswith("error: ") and hint.startswith("hint: ")  # doit writes ERROR while it loads dodo.py
    return error, hint


@pytest.mark.parametrize("command", ["generate", "boot"])
def test_refused_before_anything_is_built(project: Project, tmp_path: Path, command: str) -> None:
    model = llama2c(tmp_path)
    (tmp_path / "my.gguf").write_bytes(b"GGUF" + bytes(100))
    (tmp_path / "two-00002-of-00002.gguf").write_bytes(b"GGUF" + bytes(100))
    (tmp_path / "one-00001-of-00002.gguf").write_bytes(b"GGUF" + bytes(100))
    (tmp_path / "many-00001-of-00017.gguf").write_bytes(b"GGUF" + bytes(100))
    (tmp_path / "text-00001-of-00002.gguf").write_bytes(b"GGUF" + bytes(100))
    (tmp_path / "text-00002-of-00002.gguf").write_bytes(b"not one")
    (tmp_path / "note.txt").write_text("Once upon a time there was a text, and it was no model.")
    (tmp_path / "short").write_bytes(b"GG")
    for words, error, hint in (
        (["model=nowhere.gguf"], "there is no file", "path"),
        ([f"model={tmp_path}"], "is not a file", "path"),
        ([f"model={tmp_path}/note.txt"], "is no model", "GGUF"),
        ([f"model={tmp_path}/short"], "is no model", "GGUF"),
        ([f"model={model}"], f"needs its tokenizer; there is no {tmp_path}/tokenizer.bin", "tokenizer=FILE"),
        ([f"model={model}", "tokenizer=nowhere.bin"], "tokenizer=nowhere.bin: there is no file", "path"),
        ([f"model={tmp_path}/my.gguf", f"tokenizer={model}"], "holds its tokenizer", "tokenizer="),
        ([f"tokenizer={model}"], "without model=", "model=FILE"),
        ([f"model={model},nowhere.gguf"], "model=nowhere.gguf: there is no file", "path"),
        ([f"model={model},"], "model=: there is no file", "path"),
        ([f"model={','.join([str(tmp_path / 'my.gguf')] * 17)}"], "17 files", "at most 16"),
        ([f"model={model},{model}", f"tokenizer={','.join([str(model)] * 3)}"], "tokenizer= names 3 files, model= 2",
         "one for all"),
        ([f"model={tmp_path}/two-00002-of-00002.gguf"], "part 2", "two-00001-of-00002.gguf"),
        ([f"model={tmp_path}/one-00001-of-00002.gguf"], "there is no", "one folder"),
        ([f"model={tmp_path}/many-00001-of-00017.gguf"], "one of 17 parts", "at most 16"),
        ([f"model={tmp_path}/text-00001-of-00002.gguf"], "text-00002-of-00002.gguf is no", "GGUF"),
        ([f"model={model}", "image=smoke"], "both image= and model=", "use one"),
    ):
        said = refused(project, command, "prompt=x", *words)
        assert error in said[0] and hint in said[1], said


def test_generate_runs_one(project: Project, tmp_path: Path) -> None:
    (tmp_path / "my.gguf").write_bytes(b"GGUF" + bytes(100))
    assert refused(project, "generate", "prompt=x", f"model={tmp_path}/my.gguf,{tmp_path}/my.gguf") == (
        "error: generate runs one model, not 2", "hint: give one file: model=FILE")


def named(**given: str) -> OwnModels:
    """What these variables name."""
    session = SimpleNamespace(given=given, command="boot")
    found = own_model(cast(Session, session))
    assert found is not None
    return found


def test_several_models(tmp_path: Path) -> None:
    """Their names, the image's, and which file lies where on the disk."""
    a, b = llama2c(tmp_path), tmp_path / "a b,c.gguf"
    b.write_bytes(b"GGUF" + bytes(100))
    (tmp_path / "more").mkdir()
    c = llama2c(tmp_path / "more")
    for folder in (tmp_path, tmp_path / "more"):
        (folder / "tokenizer.bin").write_bytes(b"t")
    parts = [tmp_path / f"big-{i:05}-of-00002.gguf" for i in (1, 2)]
    for part in parts:
        part.write_bytes(b"GGUF")
    assert named(model=str(b)).files == {"a-b-c": {"model.gguf": str(b)}}
    found = named(model=f"{a},{parts[0]},{c}")
    assert (found.name, found.image) == ("some_big_some", "models/some_big_some")
    assert found.files == {
        "some": {"model.bin": str(a), "tokenizer.bin": f"{tmp_path}/tokenizer.bin"},
        "big": {f"model-2-{i:05}-of-00002.gguf": str(part) for i, part in enumerate(parts, 1)},
        "some-2": {"model-3.bin": str(c), "tokenizer-3.bin": f"{tmp_path}/more/tokenizer.bin"}}
    other = tmp_path / "other.bin"
    other.write_bytes(b"t")
    one, two = (named(model=f"{a},{parts[0]},{c}", tokenizer=words).files
                for words in (str(other), f"{other},{tmp_path}/tokenizer.bin"))
    assert one["some"]["tokenizer.bin"] == one["some-2"]["tokenizer-3.bin"] == str(other)
    assert two["some-2"]["tokenizer-3.bin"] == f"{tmp_path}/tokenizer.bin"


def test_names_that_the_program_takes(tmp_path: Path) -> None:
    long = tmp_path / f"{'x' * 100}.gguf"
    for path in (long, tmp_path / "-.gguf", tmp_path / "ä.gguf"):
        path.write_bytes(b"GGUF" + bytes(100))
    found = named(model=f"{long},{long},{tmp_path}/-.gguf,{tmp_path}/ä.gguf")
    assert [model.name for model in found.models] == ["x" * 40, f"{'x' * 37}-2", "model", "model-2"]
    assert found.name == "x" * 60


def test_folders_of_hugging_face(tmp_path: Path) -> None:
    """Their names and what is read of them; a file among them keeps its place on the disk."""
    gguf, one, two = tmp_path / "a.gguf", tmp_path / "My Model-1.5", tmp_path / "sharded"
    gguf.write_bytes(b"GGUF" + bytes(100))
    for folder in (one, two):
        folder.mkdir()
        for name in ("config.json", "tokenizer.json", "model-00001-of-00002.safetensors", "README.md", "x.safetensors",
                     "model.safetensors.index.json"):
            (folder / name).touch()
    (one / "model.safetensors").touch()
    found = named(model=f"{one},{gguf},{two}")
    assert found.name == "My-Model-1-5_a_sharded"
    assert [(stem, model.name, model.folder) for stem, model in found.stems] == [
        ("model", "My-Model-1-5", one), ("model-2", "a", None), ("model-3", "sharded", two)]
    assert found.files == {"My-Model-1-5": {}, "a": {"model-2.gguf": str(gguf)}, "sharded": {}}
    assert set(folder_files(one)) == {"config.json", "tokenizer.json", "model.safetensors"}
    assert set(folder_files(two)) == {"config.json", "tokenizer.json", "model.safetensors.index.json",
                                      "model-00001-of-00002.safetensors"}
    with pytest.raises(UserError, match="is not a file") as caught:
        named(model=f"{gguf},{tmp_path}")
    assert "config.json" in caught.value.hint
    with pytest.raises(UserError, match="is no llama2.c file"):
        named(model=str(one), tokenizer=str(gguf))


@pytest.mark.slow  # tests/qemu/test_own_model.py boots one
def test_a_folder_becomes_a_gguf(smoke: Project, tmp_path: Path) -> None:
    """The same folder by another name is read once. What is wrong with one is said."""
    RootFolder(Store(default_folder()), Ui()).ensure("ml")
    tensors = hugging_face.gpt2(tmp_path / "mine")
    words = ("generate", "prompt=Once", "temp=0", "tokens=20")
    text = smoke.doit(*words, f"model={tmp_path}/mine").stdout
    assert text.startswith("Once") and len(text) >= 24
    found = {tensor.name: quants.dequantize(tensor.data, tensor.tensor_type)
             for tensor in GGUFReader(smoke.folder / "build/models/mine/model.gguf").tensors}
    there, here = tensors["transformer.h.1.mlp.c_fc.weight"].T, found["blk.1.ffn_up.weight"]
    assert 0 < np.abs(here - there).max() < 0.01
    (tmp_path / "other").symlink_to("mine")
    again = smoke.doit(*words, f"model={tmp_path}/other")
    assert again.stdout == text and "restored  import:model" in again.stderr
    (tmp_path / "mine/tokenizer.json").unlink()
    done = smoke.doit(*words, f"model={tmp_path}/mine", status=None)
    assert done.returncode == 1 and "error: folder has no tokenizer" in done.stderr and "Traceback" not in done.stderr


def test_commands_of_recipes_take_none(project: Project) -> None:
    assert refused(project, "release", "model=x") == ("ERROR: release takes no model=", "hint: boot and generate do")


def test_too_large_for_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "large.gguf"
    path.touch()
    gguf = OwnModels("large", (OwnModel("large", (path,), None),))
    for size in (FAT32_FILE, FAT32_FILE + 1):
        with path.open("r+b") as file:
            file.truncate(size)  # a hole: it takes no space
        if size == FAT32_FILE:
            gguf.check_disk()
    llama2c = OwnModels("large", (OwnModel("large", (path,), path),))
    for own, hint in ((gguf, "llama-gguf-split"), (llama2c, "Q8_0")):
        with pytest.raises(UserError) as caught:
            own.check_disk()
        assert "4,294,967,296 bytes" in str(caught.value) and hint in caught.value.hint


def test_generate_gives_llama2c_s_texts(smoke: Project, data: Data, tmp_path: Path) -> None:
    """With tokenizer=, with tokenizer.bin beside the model, and from wherever it is typed."""
    model, tokenizer = data("stories260K.bin"), data("tok512.bin")
    known = json.loads(data("stories260K-llama2c.json").read_text())
    shutil.copy(model, tmp_path / "mine.bin")
    shutil.copy(tokenizer, tmp_path / "tokenizer.bin")
    typed = {"INGOT_CALLED_FROM": str(tmp_path)}
    greedy = known[0]
    assert greedy["args"] == ["-t", "0.0", "-n", "200"]  # steps: as many as our tokens, without the first bos
    words = ("generate", "prompt=", "temp=0", "tokens=200")
    assert smoke.doit(*words, f"model={model}", f"tokenizer={tokenizer}").stdout + "\n" == greedy["stdout"]
    assert smoke.doit(*words, "model=mine.bin", env=typed).stdout + "\n" == greedy["stdout"]
    for one in known[1:4]:
        flags = dict(zip(one["args"][::2], one["args"][1::2], strict=True))
        found = smoke.doit("generate", "prompt=", f"temp={flags['-t']}", f"top_p={flags['-p']}", f"seed={flags['-s']}",
                           f"tokens={flags['-n']}", "model=mine.bin", env=typed)
        assert found.stdout + "\n" == one["stdout"]


def test_a_damaged_file_is_the_engine_s_error(smoke: Project, tmp_path: Path) -> None:
    model = llama2c(tmp_path)
    (tmp_path / "tokenizer.bin").write_bytes(b"\1\0\0\0")
    done = smoke.doit("generate", "prompt=x", f"model={model}", status=None)
    assert done.returncode == 1 and done.stdout == "" and "the file ends inside" in done.stderr
    assert "hint: " in done.stderr
