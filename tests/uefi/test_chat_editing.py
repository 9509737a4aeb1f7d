"""Editing lines and the settings file on a booted machine, in one boot."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import cbuild
from tests.uefi.machine import PROMPT, Machine

pytestmark = pytest.mark.qemu

CFG = b"temp = 0\nmax_tokens = 20\nstats = off\ntmep = 1\n"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, disk: Path) -> Iterator[Machine]:
    """With an ingot.cfg on its disk."""
    folder = tmp_path_factory.mktemp("editing")
    image = shutil.copyfile(disk, folder / "disk.img")
    (folder / "ingot.cfg").write_bytes(CFG)
    cbuild.run(["mcopy", "-i", f"{image}@@1M", str(folder / "ingot.cfg"), "::/ingot.cfg"])
    machine = Machine(folder, image)
    try:
        machine.banner = machine.until(PROMPT)
        yield machine
    finally:
        machine.close()


def continued(on_host: Callable[..., bytes], prompt: bytes) -> bytes:
    return on_host(prompt, 20).replace(b"\n", b"\r\n") + b"\r\n"


def test_the_settings_file(machine: Machine) -> None:
    assert b"\r\ningot.cfg:4: no setting tmep; nearest: temp\r\n" in machine.banner
    assert machine.ask(b"/max_tokens").endswith(b"\r\nmax_tokens=20\r\n")


def test_arrows(machine: Machine, on_host: Callable[..., bytes]) -> None:
    said = machine.ask("cts 中".encode() + b"\x1b[D" * 4 + b"a\x1b[F\x7f\x7f")
    assert said.split(b"\r\n", 1)[1] == continued(on_host, b"cats")


def test_earlier_lines(machine: Machine, on_host: Callable[..., bytes]) -> None:
    machine.ask(b"dogs")
    machine.ask(b"/seed 3")
    said = machine.ask(b"\x1b[A\x1b[A")
    assert said.split(b"\r\n", 1)[1] == continued(on_host, b"dogs")


def test_several_lines_and_what_is_no_utf8(machine: Machine, on_host: Callable[..., bytes]) -> None:
    said = machine.ask(b"one\xff\\\rtwo\x01")
    assert said == "one\ufffd\\\r\n. two\b\b\b\r\n".encode() + continued(on_host, "one\ufffd\ntwo".encode())


def test_a_paste_of_100_kb(machine: Machine, on_host: Callable[..., bytes]) -> None:
    """It is refused whole, in one message, and the prompt comes back; 16 KB arrive whole."""
    words = b" ".join(b"%05d" % i for i in range(17000))[:100_000]
    said = machine.ask(words)
    assert said == words[:16384] + b"\a\r\nerror: a line of more than 16384 bytes\r\n"
    said = machine.ask(words[:5000])
    assert said == words[:5000] + b"\r\n\r\nerror: the prompt has 5000 tokens; the context holds 64\r\n"
