"""A model that is a file on the disk: how fast it is read and its sha256 checked, and what that costs a boot.

A gpt2 model of random fp32 weights, about 500 MB, on QEMU's emulator; and a small one: the boot without the file.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
CPUS = ("max", "qemu64")


def main() -> None:
    """Prints, for each processor, the program's own [load] line and the time from its first line to its prompt."""
    from toolchain.extras import ensure
    from toolchain.ui import Ui

    ensure("pytest", Ui())  # the machine and the models of the tests
    from model.reference import references
    from tests.engine import models
    from tests.uefi.conftest import efi_objects, link, make_image

    for shape in (models.Shape(context=64), models.Shape(context=64, layers=10, heads=16, width=1024, hidden=4096)):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            model = folder / "disk" / "model.gguf"
            model.parent.mkdir()
            model.write_bytes(models.model_bytes(shape, models.random_tensors(shape, scale=0.02)))
            program = link(folder, efi_objects(folder, references([("random", [model])])))
            make_image(folder / "disk.img", program, ("model.gguf", model))
            print(f"{model.stat().st_size:,} bytes", flush=True)
            for cpu in CPUS:
                boot(folder / cpu, folder / "disk.img", cpu)


def boot(folder: Path, image: Path, cpu: str) -> None:
    """One boot."""
    from tests.uefi.machine import PROMPT, Machine

    folder.mkdir()
    machine = Machine(folder, image, cpu=cpu, mem="2G")
    try:
        machine.until(b"[boot] ")
        begun = time.monotonic()
        told = machine.until(PROMPT).decode(errors="replace")
        seconds = time.monotonic() - begun
    finally:
        machine.close()
    for line in re.findall(r"\[load\] [^\r\n]*\r\n", told):
        print(f"  {cpu:<7}{line.strip()}")
    print(f"  {cpu:<7}firmware {begun - machine.started:.1f} s, then to the prompt {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
