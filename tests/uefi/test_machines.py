"""The same words on other machines, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.uefi.conftest import make_image
from tests.uefi.machine import Machine

pytestmark = pytest.mark.qemu


@pytest.mark.parametrize(
    ("machine", "cpu", "smp", "features"),
    [("q35", "qemu64", 2, b"sse2 "), ("pc", "max", 2, b"sse2,avx,avx2"), ("pc", "qemu64", 1, b"sse2 ")],
)
def test_same_text(
    boot: Callable[..., Machine], on_host: Callable[..., bytes], machine: str, cpu: str, smp: int, features: bytes
) -> None:
    made = boot(machine=machine, cpu=cpu, smp=smp)
    assert b" features=" + features in made.banner
    made.ask(b"/temp 0")
    made.ask(b"/max_tokens 100")
    text = on_host(b"Once upon a time", 100).replace(b"\n", b"\r\n")
    assert made.ask(b"Once upon a time").split(b"\r\n", 1)[1].startswith(text + b"\r\n[stats]")
    made.send(b"/quit\r")
    assert made.power_off() == 0


def test_damaged_model(tmp_path: Path, disk: Path, tiny_model: bytes) -> None:
    """Is an error that stays until a key is pressed."""
    folder = tmp_path / "damaged"
    folder.mkdir()
    program = (disk.parent / "BOOTX64.EFI").read_bytes()
    assert program.count(tiny_model[:64]) == 1
    (folder / "BOOTX64.EFI").write_bytes(program.replace(tiny_model[:64], b"GGUF" + b"\xff" * 60))
    make_image(folder / "disk.img", folder / "BOOTX64.EFI")
    machine = Machine(folder, folder / "disk.img")
    try:
        machine.until(b"\r\nerror: ")
        assert b"\r\nhint: " in machine.until(b"a key powers off\r\n")
        machine.send(b" ")
        assert machine.power_off() == 0
    finally:
        machine.close()
