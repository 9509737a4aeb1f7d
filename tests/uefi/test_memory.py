"""Machines with little memory, and with memory that is split: what fits runs, and what does not is told."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.pins import reference
from tests import cbuild
from tests.engine import llamas, models
from tests.engine.llamas import Shape
from tests.uefi.conftest import make_image
from tests.uefi.machine import PROMPT, Machine

pytestmark = pytest.mark.qemu

Started = Callable[..., Machine]


@pytest.fixture
def started(tmp_path: Path, file_disk: Path, tiny_model: bytes) -> Iterator[Started]:
    """`started(model, mem="256M")`: a machine that has come to its prompt with this model as its file."""
    made: list[Machine] = []

    def start(model: Path, **options: Any) -> Machine:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        tiny = folder / "model.gguf"
        tiny.write_bytes(tiny_model)
        program, held = (file_disk.parent / "BOOTX64.EFI").read_bytes(), reference(tiny)
        assert program.count(held) == 1
        shutil.copyfile(model, tiny)
        (folder / "BOOTX64.EFI").write_bytes(program.replace(held, reference(tiny)))
        make_image(folder / "disk.img", folder / "BOOTX64.EFI", ("model.gguf", tiny))
        made.append(Machine(folder, folder / "disk.img", **options))
        made[-1].banner = made[-1].until(PROMPT)
        return made[-1]

    yield start
    for machine in made:
        machine.close()


def said(machine: Machine, prompt: bytes) -> bytes:
    machine.ask(b"/temp 0")
    machine.ask(b"/max_tokens 20")
    return machine.ask(prompt).split(b"\r\n", 1)[1].split(b"\r\n[stats]")[0]


@pytest.fixture
def here(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], bytes]:
    """`here(model, prompt)`: what the host program says."""
    program = cbuild.host_program(tmp_path_factory)

    def text(model: Path, prompt: str) -> bytes:
        command = [str(program), str(model), "-t", "0", "--tokens", "20", "-i", prompt]
        return subprocess.run(command, capture_output=True, check=True).stdout.replace(b"\n", b"\r\n")

    return text


def test_a_context_that_does_not_fit(started: Started, here: Callable[[Path, str], bytes], tmp_path: Path) -> None:
    """256 MiB, and a model that asks for 512 MiB of keys and values: it runs, with what there is."""
    shape = Shape(layers=4, heads=4, kv_heads=4, head_width=32, width=64)
    keys = [replace(key, value=131072) if key.name == "llama.context_length" else key for key in llamas.keys_of(shape)]
    model = tmp_path / "long.gguf"
    model.write_bytes(models.write(keys, llamas.stored(llamas.random_tensors(shape), "Q8_0")).data)
    machine = started(model, mem="256M")
    banner = machine.banner.decode(errors="replace")
    found = re.search(r"\[memory\] context 131072 -> (\d+): (\d+) MiB needed, (\d+) MiB found\r\n", banner)
    assert found, banner
    context, needed, there = map(int, found.groups())
    assert context % 64 == 0 and 50 < there < 256 and 512 < needed < 540
    assert there - 8 < context * 4096 / 2**20 <= there
    assert f" context={context} " in banner
    assert said(machine, b"Once upon") == here(model, "Once upon")
    machine.send(b"/quit\r")
    assert machine.power_off() == 0


@pytest.mark.slow
def test_a_model_in_two_pieces(started: Started, here: Callable[[Path, str], bytes], tmp_path: Path) -> None:
    """131 MiB of weights in a machine that has 128 MiB above the hole and less below it: the host's words."""
    shape = Shape(context=64, layers=10, heads=8, kv_heads=8, width=512, hidden=1536)
    model = tmp_path / "large.gguf"
    model.write_bytes(llamas.model_bytes(shape, llamas.random_tensors(shape, scale=0.05)))
    assert 131 << 20 < model.stat().st_size < 150 << 20
    machine = started(model, machine="q35,max-ram-below-4g=128M", mem="256M")
    assert re.search(rb"\[memory\] model\.gguf: 13\d MiB in 2 pieces, of 1\d\d MiB free\r\n", machine.banner)
    assert said(machine, b"Once upon") == here(model, "Once upon")
    machine.send(b"/quit\r")
    assert machine.power_off() == 0
