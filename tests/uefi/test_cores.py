"""Workers on the other cores of a machine: real boots under the emulator."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import cbuild
from tests.once import once
from tests.uefi.conftest import efi_objects, link, make_image
from tests.uefi.machine import PROMPT, Machine

pytestmark = pytest.mark.qemu

PROBE = Path(__file__).resolve().with_name("cores_probe.c")
SECOND_CORE = "({ unsigned b; __asm__(\"cpuid\" : \"=b\"(b) : \"a\"(1), \"c\"(0) : \"edx\"); b >> 24 == 1; })"
ENABLED = "    _mm_setcsr(MXCSR_DEFAULT);\n"


def with_avx(factory: pytest.TempPathFactory, name: str, tiny_model: bytes, last_line: str) -> Path:
    """A disk with the program of which avx_enable, which each core calls, ends in this line."""

    def make(folder: Path) -> None:
        objects = efi_objects(folder, tiny_model)
        source = (cbuild.SOURCES / "uefi" / "avx.c").read_text()
        assert source.count(ENABLED) == 1
        (folder / "uefi").mkdir()
        changed = folder / "uefi" / "avx.c"
        changed.write_text(source.replace(ENABLED, ENABLED + last_line))
        cbuild.run(["gcc", *cbuild.EFI, f"-I{cbuild.SOURCES / 'uefi'}", "-iquote", str(cbuild.SOURCES / "uefi"),
                    "-c", str(changed), "-o", str(folder / "uefi_avx.o")])
        make_image(folder / "disk.img", link(folder, objects))

    return once(factory, name, make) / "disk.img"


@pytest.fixture(scope="module")
def probe_disk(tmp_path_factory: pytest.TempPathFactory, tiny_model: bytes) -> Path:
    """cores_probe.c instead of main.c."""

    def make(folder: Path) -> None:
        objects = efi_objects(folder, tiny_model)
        cbuild.run(["gcc", *cbuild.EFI, f"-I{cbuild.SOURCES}", "-c", str(PROBE), "-o", str(folder / "uefi_main.o")])
        make_image(folder / "disk.img", link(folder, objects))

    return once(tmp_path_factory, "uefi-cores", make) / "disk.img"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    """`start(disk, smp=2)`: a machine."""
    made: list[Machine] = []

    def new(disk: Path, **options: Any) -> Machine:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Machine(folder, disk, **options))
        return made[-1]

    yield new
    for machine in made:
        machine.close()


def cores_line(said: bytes) -> str:
    found = re.findall(r"\r\n\[cores\] (.*)\r\n", said.decode(errors="replace"))
    assert len(found) == 1, said[-2000:]
    return str(found[0])


def seconds_used(machine: Machine) -> float:
    """The processor's time that QEMU has taken so far."""
    ticks = Path(f"/proc/{machine.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(ticks[11]) + int(ticks[12])) / 100


@pytest.mark.parametrize(("smp", "cpu", "machine"), [(1, "max", "q35"), (2, "max", "q35"), (3, "max", "q35"),
                                                     (2, "qemu64", "pc")])
def test_count_text_and_power_off(boot: Callable[..., Machine], on_host: Callable[..., bytes], smp: int, cpu: str,
                                  machine: str) -> None:
    """With the workers halted, as they are when the prompt has stood for a while."""
    made = boot(smp=smp, cpu=cpu, machine=machine)
    assert cores_line(made.banner) == f"{smp} of {smp}"
    made.ask(b"/temp 0")
    made.ask(b"/max_tokens 40")
    text = on_host(b"Once upon a time", 40).replace(b"\n", b"\r\n")
    for _ in range(2):
        time.sleep(0.3)
        assert made.ask(b"Once upon a time").split(b"\r\n", 1)[1].startswith(text + b"\r\n[stats]")
        made.ask(b"/reset")
    time.sleep(0.3)
    made.send(b"/quit\r")
    assert made.power_off() == 0


@pytest.mark.parametrize(("smp", "cpu"), [(1, "max"), (2, "max"), (3, "max"), (2, "qemu64")])
def test_jobs(probe_disk: Path, start: Callable[..., Machine], smp: int, cpu: str) -> None:
    """Each part of each job ran once, in the promised arithmetic, its writes were seen by all, and the halted woke."""
    machine = start(probe_disk, smp=smp, cpu=cpu)
    said = machine.until(b"\nidle\r\n")
    assert cores_line(said.replace(b"\nidle", b"\n")) == f"{smp} of {smp}"
    found = dict(re.findall(r"(\w+)=(\d+)", said.decode(errors="replace").split("[probe] ")[1]))
    assert (found["parts"], found["right"], found["right_after"]) == (str(smp), "1", "1")
    assert int(found["jobs"]) > 10
    print(found)
    machine.send(b" ")
    assert machine.power_off() == 0


@pytest.mark.slow
def test_an_idle_machine_costs_nothing(probe_disk: Path, start: Callable[..., Machine]) -> None:
    """Three cores more take a small part of one's time; each that looked on would take one whole."""
    used = {}
    for smp in (1, 4):
        machine = start(probe_disk, smp=smp)
        machine.until(b"\nidle\r\n")
        time.sleep(1)
        before = seconds_used(machine)
        time.sleep(4)
        used[smp] = (seconds_used(machine) - before) / 4
        machine.send(b" ")
        assert machine.power_off() == 0
    print(used)
    assert used[4] - used[1] < 0.15


@pytest.mark.parametrize(("name", "line", "shown"), [
    pytest.param("mode", f"    if ({SECOND_CORE}) _mm_setcsr(MXCSR_DEFAULT | 0x8040);\n",
                 "2 of 3; in another state: 1", marks=pytest.mark.slow),
    ("late", f"    while ({SECOND_CORE}) {{ }}\n", "2 of 3; not come: 1"),
])
def test_a_core_that_is_left_out(tmp_path_factory: pytest.TempPathFactory, tiny_model: bytes,
                                 start: Callable[..., Machine], on_host: Callable[..., bytes], name: str, line: str,
                                 shown: str) -> None:
    """One with denormals off would give other bits; one that never comes is not waited for."""
    machine = start(with_avx(tmp_path_factory, f"uefi-{name}", tiny_model, line), smp=3)
    assert cores_line(machine.until(PROMPT)) == shown
    machine.ask(b"/temp 0")
    machine.ask(b"/max_tokens 40")
    text = on_host(b"Once upon a time", 40).replace(b"\n", b"\r\n")
    assert machine.ask(b"Once upon a time").split(b"\r\n", 1)[1].startswith(text + b"\r\n[stats]")
    machine.send(b"/quit\r")
    assert machine.power_off() == 0
