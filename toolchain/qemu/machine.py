"""The command line of QEMU. Pure.

A minimal PC: flash, one disk, one serial line, a monitor. virtio-blk reads a model twice as fast as AHCI
under TCG (1 s against 2 s for 418 MiB), and OVMF has its driver. Nothing else is there for the firmware
to search, so the program starts as soon as it can.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolchain.qemu.attempts import Attempt
from toolchain.qemu.binary import Qemu
from toolchain.qemu.firmware import Firmware


@dataclass(frozen=True)
class Machine:
    """What one QEMU is made of."""

    qemu: Qemu
    firmware: Firmware
    combined: Path | None  # variables and code in one file, where flash cannot be mapped (WHPX)
    disk: Path
    keep: bool  # write to `disk`; otherwise what the guest writes is dropped
    machine: str
    smp: int
    mem: str
    display: str  # a -display argument


def command(m: Machine, attempt: Attempt, serial: str, monitor: str) -> list[str]:
    """The argv that starts `m` the way that `attempt` says. `serial` and `monitor` are -chardev back ends."""
    accel = "whpx,kernel-irqchip=off" if attempt.accel == "whpx" else attempt.accel
    words = [
        "-name", "ingot", "-no-user-config", "-nodefaults", "-no-reboot",
        "-machine", m.machine, "-accel", accel, "-cpu", attempt.cpu, "-smp", str(m.smp), "-m", m.mem,
    ]
    if m.combined is not None:
        words += ["-bios", str(m.combined)]
    else:
        flash = f"if=pflash,format={m.firmware.format}"
        words += ["-drive", f"{flash},unit=0,readonly=on,file={_escape(m.firmware.code)}",
                  "-drive", f"{flash},unit=1,snapshot=on,file={_escape(m.firmware.variables)}"]
    # snapshot=on: the file is opened read-only, writes go to an unlinked temporary file.
    words += ["-drive", f"if=none,id=disk,format=raw,snapshot={'off' if m.keep else 'on'},file={_escape(m.disk)}",
              "-device", "virtio-blk-pci,drive=disk,bootindex=0"]
    words += ["-display", m.display, "-vga", "none" if m.display == "none" else "std"]
    words += ["-chardev", f"{serial},id=serial", "-serial", "chardev:serial",
              "-chardev", f"{monitor},id=monitor", "-mon", "chardev=monitor,mode=control"]
    return m.qemu.argv(*words)


def _escape(path: Path) -> str:
    """In QEMU's option lists a comma is written twice."""
    return str(path).replace(",", ",,")
