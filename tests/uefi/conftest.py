"""The EFI program with a small random model, on a disk; the host program to compare with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from model.pins import references
from tests import cbuild
from tests.engine import models
from tests.once import once
from tests.uefi.machine import PROMPT, Machine

UEFI = cbuild.SOURCES / "uefi"


def efi_objects(folder: Path, model: bytes) -> list[Path]:
    """Every object of the EFI program, that of the model (or of a reference to it) included, in the order of the
    graph: by name."""
    objects = cbuild.build_objects(folder, ("engine", "kernels", "uefi"))
    (folder / "model.gguf").write_bytes(model)
    (folder / "model_blob.S").write_bytes((UEFI / "model_blob.S").read_bytes())
    subprocess.run(["gcc", "-c", "model_blob.S", "-o", "model.o"], cwd=folder, check=True)
    return sorted([*objects, folder / "model.o"])


def with_model(folder: Path, disk: Path, model: bytes) -> Path:
    """A disk in `folder` like `disk`, the program's objects beside it, with another model in the program."""
    make_image(folder / "disk.img", linked_with(folder, disk, model))
    return folder / "disk.img"


def with_models(folder: Path, disk: Path, models: Sequence[tuple[str, Sequence[Path]]]) -> Path:
    """The same with these models as files beside the program, which holds the list of them."""
    files = [(file.name, file) for _, files in models for file in files]
    make_image(folder / "disk.img", linked_with(folder, disk, references(models)), *files)
    return folder / "disk.img"


def linked_with(folder: Path, disk: Path, model: bytes) -> Path:
    (folder / "model.gguf").write_bytes(model)
    (folder / "model_blob.S").write_bytes((UEFI / "model_blob.S").read_bytes())
    subprocess.run(["gcc", "-c", "model_blob.S", "-o", "model.o"], cwd=folder, check=True)
    others = [path for path in disk.parent.glob("*.o") if path.name != "model.o"]
    return link(folder, sorted([*others, folder / "model.o"]))


def link(folder: Path, objects: list[Path]) -> Path:
    """BOOTX64.EFI in `folder`."""
    cbuild.run(["sh", str(UEFI / "link.sh"), str(folder / "BOOTX64.EFI"), *map(str, objects)])
    return folder / "BOOTX64.EFI"


def make_image(out: Path, program: Path, *beside: tuple[str, Path]) -> None:
    """A disk with the program, and other files where they are named."""
    tool = cbuild.SOURCES.parent / "toolchain" / "image.py"
    files = [word for path, source in beside for word in ("--file", f"{path}={source}")]
    cbuild.run([sys.executable, str(tool), "--out", str(out), "--file", f"EFI/BOOT/BOOTX64.EFI={program}", *files])


@pytest.fixture(scope="session")
def tiny_model() -> bytes:
    """Random, so its text is gibberish with every byte in it: what a serial line likes to spoil."""
    shape = models.Shape(context=64)
    return models.model_bytes(shape, models.random_tensors(shape))


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory, tiny_model: bytes) -> Path:
    """The image; BOOTX64.EFI, with the model in it, lies beside it."""

    def make(folder: Path) -> None:
        make_image(folder / "disk.img", link(folder, efi_objects(folder, tiny_model)))

    return once(tmp_path_factory, "uefi", make) / "disk.img"


@pytest.fixture(scope="session")
def file_disk(tmp_path_factory: pytest.TempPathFactory, tiny_model: bytes) -> Path:
    """The same with model.gguf beside the program, which holds a reference to it."""

    def make(folder: Path) -> None:
        model = folder / "disk" / "model.gguf"
        model.parent.mkdir()
        model.write_bytes(tiny_model)
        program = link(folder, efi_objects(folder, references([("tiny", [model])])))
        make_image(folder / "disk.img", program, ("model.gguf", model))

    return once(tmp_path_factory, "uefi-file", make) / "disk.img"


@pytest.fixture(scope="session")
def on_host(tmp_path_factory: pytest.TempPathFactory, tiny_model: bytes) -> Callable[..., bytes]:
    """`on_host(prompt, tokens)`: the text that the host program prints at temperature 0."""
    program = cbuild.host_program(tmp_path_factory)
    path = tmp_path_factory.mktemp("host") / "model.gguf"
    path.write_bytes(tiny_model)

    def text(prompt: bytes, tokens: int) -> bytes:
        command = [bytes(program), bytes(path), b"-t", b"0", b"--tokens", str(tokens).encode(), b"-i", prompt]
        return subprocess.run(command, capture_output=True, check=True).stdout

    return text


@pytest.fixture
def boot(tmp_path: Path, disk: Path) -> Iterator[Callable[..., Machine]]:
    """`boot(cpu="qemu64")`: a machine that has reached its prompt; the banner is in `.banner`."""
    made: list[Machine] = []

    def start(**options: Any) -> Machine:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Machine(folder, disk, **options))
        made[-1].banner = made[-1].until(b"[keys]") + made[-1].until(PROMPT)
        return made[-1]

    yield start
    for machine in made:
        machine.close()
