"""A QEMU to boot for real: this machine's where it is whole, else that of the toolchain root `vm`."""

from __future__ import annotations

import functools
import shlex
from pathlib import Path

from toolchain.errors import UserError
from toolchain.qemu import binary, firmware
from toolchain.qemu.binary import Qemu
from toolchain.qemu.firmware import Firmware


@functools.cache
def real_qemu() -> tuple[Qemu, Firmware]:
    """What every test that boots for real starts."""
    try:
        qemu = binary.find()
        return qemu, firmware.find(qemu, "q35")
    except UserError:
        qemu = binary.of_root(vm_root())
        return qemu, firmware.find(qemu, "q35")


@functools.cache
def vm_root() -> Path:
    """The root's folder in this machine's own store, fetched once."""
    from toolchain.roots.folder import RootFolder
    from toolchain.store import Store, default_folder
    from toolchain.ui import Ui

    return RootFolder(Store(default_folder()), Ui()).ensure("vm").path


def as_program(qemu: Qemu, path: Path) -> Path:
    """An executable at `path` that stands for it, to be named by INGOT_QEMU."""
    path.write_text(f'#!/bin/sh\nexport QEMU_MODULE_DIR={qemu.modules or ""}\nexec {shlex.join(qemu.argv())} "$@"\n')
    path.chmod(0o755)
    return path
