"""model=FILE: what it takes and refuses, and generate's text of such a file."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import Project
from toolchain.errors import UserError
from toolchain.image import FAT32_FILE
from toolchain.own_model import OwnModel

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
        ([f"model={model},{model}"], "several files", "one"),
        ([f"model={model}", "image=smoke"], "both image= and model=", "use one"),
    ):
        said = refused(project, command, "prompt=x", *words)
        assert error in said[0] and hint in said[1], said


def test_commands_of_recipes_take_none(project: Project) -> None:
    assert refused(project, "release", "model=x") == ("ERROR: release takes no model=", "hint: boot and generate do")


def test_too_large_for_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "large.gguf"
    path.touch()
    own = OwnModel("large", path, None)
    for size in (FAT32_FILE, FAT32_FILE + 1):
        with path.open("r+b") as file:
            file.truncate(size)  # a hole: it takes no space
        if size == FAT32_FILE:
            own.check_disk()
    with pytest.raises(UserError) as caught:
        own.check_disk()
    assert "4,294,967,296 bytes" in str(caught.value) and "split" in caught.value.hint


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
