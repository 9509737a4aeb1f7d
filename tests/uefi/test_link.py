"""The EFI program as a file."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

from tests.uefi.conftest import UEFI, efi_objects, link


def test_identical_in_another_folder(tmp_path: Path, disk: Path, tiny_model: bytes) -> None:
    folder = tmp_path / "somewhere else"
    folder.mkdir()
    program = link(folder, efi_objects(folder, tiny_model)).read_bytes()
    assert program == (disk.parent / "BOOTX64.EFI").read_bytes()
    assert tiny_model in program
    (pe,) = struct.unpack_from("<I", program, 0x3C)
    signature, machine, _, date = struct.unpack_from("<4sHHI", program, pe)
    (subsystem,) = struct.unpack_from("<H", program, pe + 24 + 68)
    assert (signature, machine, date, subsystem) == (b"PE\0\0", 0x8664, 0, 10)
    assert b"somewhere" not in program


def test_undefined_symbol_is_an_error(tmp_path: Path) -> None:
    source, program = tmp_path / "main.c", tmp_path / "out.efi"
    source.write_text("long malloc(long); long efi_main(void) { return malloc(1); }\n")
    subprocess.run(["gcc", "-ffreestanding", "-fpic", "-c", source, "-o", tmp_path / "main.o"], check=True)
    done = subprocess.run(["sh", UEFI / "link.sh", program, tmp_path / "main.o"], capture_output=True, text=True)
    assert done.returncode != 0 and "malloc" in done.stderr
    assert not program.exists()
