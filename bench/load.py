"""A model that is a file on the disk: from the firmware's hand-off to the prompt, how fast the file is read, and what
checking its sha256 costs: the same with a hash that does nothing (bench/nohash.c).

A gpt2 model of random fp32 weights, about 500 MB, on QEMU's emulator; and a small one: the boot without the file.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
CPUS = ("max", "qemu64")
SMALL = dict(context=64)
LARGE = dict(context=64, layers=10, heads=16, width=1024, hidden=4096)
FIRST_STATE = bytes.fromhex("6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19")  # of SHA-256


@dataclass(frozen=True)
class Boot:
    """One boot: its processor, whether it checked the sha256; seconds to the program, and from there to the prompt."""

    bytes: int
    cpu: str
    checked: bool
    firmware_s: float
    prompt_s: float
    told: str  # the program's own [load] line


def measure(size: dict[str, int], cpus: tuple[str, ...] = CPUS) -> list[Boot]:
    """A model of this size on each of the processors, with the check and without."""
    from model.pins import references
    from tests.cbuild import CORE, build_objects
    from tests.engine import models
    from tests.uefi.conftest import efi_objects, link, make_image

    with tempfile.TemporaryDirectory() as temporary:
        folder, found = Path(temporary), []
        model, shape = folder / "disk" / "model.gguf", models.Shape(**size)
        model.parent.mkdir()
        model.write_bytes(models.model_bytes(shape, models.random_tensors(shape, scale=0.02)))
        for checked in (True, False):
            known = references([("random", [model])])
            if not checked:
                known = known.replace(hashlib.sha256(model.read_bytes()).digest(), FIRST_STATE)
            objects = efi_objects(folder, known)
            if not checked:
                objects = [path for path in objects if path.name != "kernels_sha_select.o"]
                objects += build_objects(folder, (), CORE, [ROOT / "bench" / "nohash.c"])
            make_image(folder / "disk.img", link(folder, objects), ("model.gguf", model))
            for cpu in cpus:
                place = folder / f"{cpu}-{checked}"
                place.mkdir()
                found.append(boot(place, folder / "disk.img", cpu, checked, model.stat().st_size))
        return found


def boot(folder: Path, image: Path, cpu: str, checked: bool, size: int) -> Boot:
    """One boot."""
    from tests.uefi.machine import PROMPT, Machine

    machine = Machine(folder, image, cpu=cpu, mem="2G")
    try:
        machine.until(b"[boot] ")
        begun = time.monotonic()
        told = machine.until(PROMPT).decode(errors="replace")
        seconds = time.monotonic() - begun
    finally:
        machine.close()
    lines = re.findall(r"\[load\] [^\r\n]*(?=\r\n)", told)
    return Boot(size, cpu, checked, begun - machine.started, seconds, lines[-1] if lines else "")


def main() -> None:
    """Prints each boot."""
    from toolchain.extras import ensure
    from toolchain.ui import Ui

    ensure("pytest", Ui())  # the machine and the models of the tests
    for size in (SMALL, LARGE):
        for found in measure(size):
            print(f"{found.bytes:>11,} bytes  {found.cpu:<7}{'sha256' if found.checked else 'none':<7} "
                  f"firmware {found.firmware_s:.1f} s, to the prompt {found.prompt_s:.1f} s  {found.told}", flush=True)


if __name__ == "__main__":
    main()
