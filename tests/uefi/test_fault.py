"""Exceptions of the processor, on any core, and the other things that end a turn: the prompt comes back, and the next
reply is the one that it always was."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import cbuild
from tests.once import once
from tests.uefi.conftest import efi_objects, link, make_image
from tests.uefi.machine import PROMPT, Machine
from tests.uefi.test_disk import mtools, off

pytestmark = pytest.mark.qemu

ADDRESS = rb"address 0x0000600000000000"
ENDS = {
    b"budget": rb"\[stopped\] prefill took \d+ us a token, budget \d+",
    b"nan": rb"error: the model gives a logit that is no finite number",
    b"exception": rb"error: exception 14 \(page fault\) on core 0 at image\+0x[0-9a-f]{16}, " + ADDRESS,
    b"worker": rb"error: exception 6 \(invalid opcode\) on core 1 at image\+0x[0-9a-f]{16}",
}


def text_of(said: bytes) -> bytes:
    """A reply without the line of numbers."""
    return said[: said.index(b"[stats]")]


def test_every_end_of_a_turn(tmp_path: Path, disk: Path, on_host: Callable[..., bytes]) -> None:
    """With random numbers, which a failed turn does not use up."""
    image = tmp_path / "disk.img"
    shutil.copyfile(disk, image)
    machine = Machine(tmp_path, image, smp=2, written=True)
    machine.until(PROMPT)
    machine.ask(b"/max_tokens 60")
    machine.ask(b"/temp 0")
    greedy = b"Once upon\r\n" + on_host(b"Once upon", 60).replace(b"\n", b"\r\n") + b"\r\n"
    machine.ask(b"/temp 1")
    machine.ask(b"/seed 7")
    usual = text_of(machine.ask(b"Once upon"))
    for what in (b"exception", b"worker", b"nan", b"budget", b"worker", b"exception"):
        machine.ask(b"/seed 7")
        machine.ask(b"/temp 0")
        machine.ask(b"/test_failsafe " + what)
        said = machine.ask(b"Once upon")
        assert re.search(rb"\r\n" + ENDS[what] + rb"\r\n\[stats\] tokens=0 ", said), said
        fault = what in (b"exception", b"worker")
        assert (b"\r\n[saved] crash.txt bytes=" in said) == fault
        assert text_of(machine.ask(b"Once upon")) == greedy
        machine.ask(b"/temp 1")
        machine.ask(b"/test_failsafe " + what)
        machine.ask(b"Once upon")
        assert text_of(machine.ask(b"Once upon")) == usual
    log = machine.ask(b"/log")
    assert len(re.findall(rb"\] crash: exception 14 ", log)) == 4
    assert re.search(rb"\] crash: worker stacks: at most \d+ of 65536 bytes used\r\n", log)
    off(machine)
    crash = mtools(image, "mtype", "::/crash.txt").decode()
    lines = crash.splitlines()
    assert re.fullmatch(r"exception 14 \(page fault\) on core 0 at image\+0x\w{16}, address 0x0{4}60{11}", lines[0])
    found = dict(re.findall(r"(\w+)=0x(\w{16})", crash))
    assert found["cr2"] == "0000600000000000" and len(found) == 23
    assert int(found["rip"], 16) - int(found["image"], 16) == int(lines[0].split("image+")[1][:18], 16)
    assert crash.count("stack: ") == 4 and lines[-1].startswith("worker stacks: at most ")
    print(crash)


def test_one_core_without_avx(tmp_path: Path, disk: Path, on_host: Callable[..., bytes]) -> None:
    machine = Machine(tmp_path, disk, smp=1, cpu="qemu64")
    machine.until(PROMPT)
    machine.ask(b"/max_tokens 60")
    machine.ask(b"/temp 0")
    assert b"\r\nerror: not to be tested here " in machine.ask(b"/test_failsafe worker")
    assert b"\r\nerror: not to be tested here " in machine.ask(b"/test_failsafe typo")
    text = on_host(b"cats", 60).replace(b"\n", b"\r\n")
    for what in (b"exception", b"nan"):
        machine.ask(b"/test_failsafe " + what)
        assert re.search(rb"\r\n" + ENDS[what] + rb"\r\n", machine.ask(b"cats"))
        assert text_of(machine.ask(b"cats")) == b"cats\r\n" + text + b"\r\n"
    off(machine)


def test_an_exception_at_start(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, tiny_model: bytes) -> None:
    """Outside any turn: what is known is told, with a hint, and a key powers off."""

    def make(folder: Path) -> None:
        objects = efi_objects(folder, tiny_model)
        source = (cbuild.SOURCES / "uefi" / "park.c").read_text()
        assert source.count("    idt_copy(gates);") == 1
        (folder / "uefi").mkdir()
        changed = folder / "uefi" / "park.c"
        changed.write_text(source.replace("    idt_copy(gates);", "    __builtin_trap();"))
        cbuild.run(["gcc", *cbuild.EFI, "-iquote", str(cbuild.SOURCES / "uefi"), "-c", str(changed),
                    "-o", str(folder / "uefi_park.o")])
        make_image(folder / "disk.img", link(folder, objects))

    disk = once(tmp_path_factory, "uefi-trap", make) / "disk.img"
    machine = Machine(tmp_path, disk)
    told = machine.until(b"a key powers off\r\n").decode()
    assert re.search(r"\r\nrip=0x\w{16} rsp=0x\w{16} .*\r\nerror: exception 6 \(invalid opcode\) on core 0 at image\+0x"
                     r"\w{16}\r\nhint: [^\r]+; a key powers off\r\n$", told, re.DOTALL)
    machine.send(b" ")
    assert machine.power_off() == 0
    machine.close()
