"""Commands that any project has, as ingot has them: it boots in a root of its own, and pins its images' outputs."""

from __future__ import annotations

from pathlib import Path

from toolchain import checkup
from toolchain.commands import doctor, lock, toolchain
from toolchain.errors import UserError
from toolchain.plugin import Session


class Doctor(doctor.Doctor):
    """Looks at QEMU too, and at what the tests want of this machine."""

    ready = "this machine can build and boot"

    def more(self, current: Session, chosen: str, wanted: str) -> list[checkup.Line]:
        """QEMU and its firmware, this machine's tools with their packages, accelerators."""
        from toolchain.packages import present
        from toolchain.qemu import binary
        from toolchain.qemu.diagnose import accelerators

        if binary.root_needed("serial", host=wanted == "host"):
            vm, line = checkup.root(current.roots, "vm", "boots use its QEMU and OVMF")
            qemu = binary.of_root(vm) if vm is not None else None
            lines = [line]
        else:
            qemu, lines = checkup.own_qemu()
        return [*lines, *checkup.tools(present, chosen), *(checkup.Line(found) for found in accelerators(qemu))]


class Toolchain(toolchain.Toolchain):
    """Boots need a root that no stage runs in."""

    also = ("vm",)


class Lock(lock.Lock):
    """With image=NAME it pins the image's outputs in images/NAME.lock instead."""

    doc_purpose = "lock the toolchain roots anew, or pin an image's outputs in images/NAME.lock"
    doc_usage = "[ROOT ...] | image=NAME"

    def go(self, current: Session, names: list[str]) -> int:
        """Replaces each lock file as a whole."""
        from toolchain.manifest import manifest, write_lock

        if "image" not in current.given:
            return super().go(current, names)
        if names:
            raise UserError(f"lock takes either image= or toolchain roots, not image= and {names[0]}", "do one of them")
        wanted = ["image", "host"]  # not the C trainer, where PyTorch trains
        self.bring(wanted)
        order = current.graph.order(wanted)
        entries = manifest(current.graph, order)
        if len(entries) < len(order):
            raise UserError("not every stage of the image is built", "run ./doit first")
        path = Path("images") / f"{current.given['image']}.lock"
        print(f"{path}: {write_lock(path, entries)} outputs")
        return 0
