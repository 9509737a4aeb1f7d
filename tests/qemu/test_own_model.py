"""`./doit boot model=FILE`: a file of the user's own, booted."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.pins import reference
from tests.engine import llamas
from tests.model import hugging_face
from tests.project import Project
from toolchain.image import FIRST
from toolchain.roots.folder import RootFolder
from toolchain.store import Store, default_folder
from toolchain.ui import Ui

pytestmark = pytest.mark.qemu


def report(project: Project, name: str) -> Any:
    return json.loads((project.folder / "build/models" / name / "boot.json").read_text())


def altered(project: Project, folder: Path, name: str) -> str:
    """What a boot says of the image a-b in which one byte of this file is another."""
    image, file = folder / "altered.img", folder / "altered"
    shutil.copy(project.folder / "build/models/a-b/a-b.img", image)
    on_disk = ("-i", f"{image}@@{FIRST}")
    subprocess.run(["mcopy", *on_disk, "-o", f"::/{name}", str(file)], check=True)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    subprocess.run(["mcopy", *on_disk, "-o", str(file), f"::/{name}"], check=True)
    done = subprocess.run([sys.executable, "-m", "toolchain.qemu", str(image), "accel=tcg", "prompt=x"],
                          cwd=project.folder, env=project.env, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def test_stories260k_gives_llama2c_s_text(smoke: Project, data: Callable[[str], Path], tmp_path: Path) -> None:
    """On one core and on two; the second boot and one of a renamed copy build nothing."""
    words = ("boot", "accel=tcg", "prompt=", "temp=0", "tokens=200")
    files = (f"model={data('stories260K.bin')}", f"tokenizer={data('tok512.bin')}")
    wanted = json.loads(data("stories260K-llama2c.json").read_text())[0]["stdout"]
    first = smoke.doit(*words, *files)
    assert first.stdout + "\n" == wanted and report(smoke, "stories260K")["tok_s"] > 0
    trained, made = smoke.manifest(), smoke.manifest("models/stories260K")
    assert {stage for stage in made if made[stage]["key"] != trained.get(stage, {}).get("key")} == {
        "reference", "compile:model", "link", "image"}
    assert trained.keys() - made.keys() == {"dataset", "tokenize", "train", "export"}
    second = smoke.doit(*words, *files, "smp=2")
    assert second.stdout == first.stdout and "built " not in second.stderr
    assert report(smoke, "stories260K")["smp"] == 2
    shutil.copy(data("stories260K.bin"), tmp_path / "a b.bin")
    shutil.copy(data("tok512.bin"), tmp_path / "tokenizer.bin")
    plan = smoke.doit("plan", f"model={tmp_path}/a b.bin").stdout
    assert "train " not in plan
    renamed = smoke.doit("boot", "accel=tcg", "prompt=One day", "temp=0", "tokens=9", f"model={tmp_path}/a b.bin")
    again = smoke.manifest("models/a-b")
    assert {stage for stage in again if again[stage]["key"] != made[stage]["key"]} == {  # the names of model and image
        "reference", "compile:model", "link", "image"}
    assert renamed.stdout.startswith("One day")
    assert "tokenizer.bin is not the file that" in altered(smoke, tmp_path, "tokenizer.bin")
    assert "model.bin is not the file that" in altered(smoke, tmp_path, "model.bin")


def test_a_gguf_gives_the_host_s_text(smoke: Project, tmp_path: Path) -> None:
    """The file lies on the disk as it is, and the program holds its reference."""
    shape = llamas.Shape(context=64)
    model = tmp_path / "my model.gguf"
    model.write_bytes(llamas.model_bytes(shape, llamas.random_tensors(shape), "Q8_0"))
    words = (f"model={model}", "prompt=Once upon", "temp=1", "seed=3", "tokens=60")
    booted = smoke.doit("boot", "accel=tcg", *words)
    assert booted.stdout == smoke.doit("generate", *words).stdout != ""
    here = smoke.folder / "build/models/my-model"
    shutil.copy(model, tmp_path / "model.gguf")
    assert reference(tmp_path / "model.gguf") in (here / "BOOTX64.EFI").read_bytes()
    copy = tmp_path / "copy"
    subprocess.run(["mcopy", "-i", f"{here / 'my-model.img'}@@{FIRST}", "::/model.gguf", str(copy)], check=True)
    assert copy.read_bytes() == model.read_bytes()


def test_a_folder_of_hugging_face_gives_the_host_s_text(smoke: Project, tmp_path: Path) -> None:
    RootFolder(Store(default_folder()), Ui()).ensure("ml")
    hugging_face.gpt2(tmp_path / "theirs")
    words = (f"model={tmp_path}/theirs", "prompt=Once upon", "temp=1", "seed=3", "tokens=60")
    booted = smoke.doit("boot", "accel=tcg", *words)
    assert booted.stdout == smoke.doit("generate", *words).stdout and booted.stdout.startswith("Once upon")


def test_a_tokenizer_that_is_another_s(smoke: Project, data: Callable[[str], Path], tmp_path: Path) -> None:
    """The program's own error, told by the boot."""
    (tmp_path / "tokenizer.bin").write_bytes(data("tok512.bin").read_bytes()[:3000])
    shutil.copy(data("stories260K.bin"), tmp_path / "stories.bin")
    done = smoke.doit("boot", "accel=tcg", "prompt=x", f"model={tmp_path}/stories.bin", status=None)
    assert done.returncode == 1 and done.stdout == "" and "error: " in done.stderr and "hint: " in done.stderr
    assert "tokenizer" in done.stderr.split("error: ")[-1]
