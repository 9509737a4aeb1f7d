"""A model that is a file on the disk: loaded, checked by its sha256, and refused where it is another."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from model.pins import NAME, reference
from tests.project import ROOT, Project
from tests.qemu.real import as_program, real_qemu
from tests.uefi.machine import PROMPT, Machine
from toolchain.image import FIRST

pytestmark = pytest.mark.qemu

BIG = 300 << 20  # more than the machine of these tests has in one piece


def changed(source: Path, folder: Path, *script: tuple[str, ...]) -> Path:
    """A copy of the image on which these mtools have run."""
    image = folder / "changed.img"
    shutil.copyfile(source, image)
    env = {**os.environ, "MTOOLSRC": "/dev/null"}
    for tool, *words in script:
        subprocess.run([tool, "-i", f"{image}@@{FIRST}", *words], check=True, env=env)
    return image


def expect_size(image: Path, size: int) -> Path:
    """Makes both the folder's entry of model.gguf and the program's reference say that it has `size` bytes."""
    data = bytearray(image.read_bytes())
    entry, held = data.index(b"MODEL~1 GGU"), data.index(b"model.gguf".ljust(NAME, b"\0"))
    struct.pack_into("<I", data, entry + 28, size)
    struct.pack_into("<Q", data, held + NAME, size)
    image.write_bytes(data)
    return image


def refused(folder: Path, image: Path) -> str:
    """The error, one line, with which the program gives up; a key powers off then, and nothing was parsed."""
    machine = Machine(folder, image)
    try:
        told = machine.until(b"a key powers off\r\n").decode(errors="replace")
        machine.send(b" ")
        assert machine.power_off() == 0
    finally:
        machine.close()
    assert "[model]" not in told and "sha256 checked" not in told and "[tpm]" not in told
    found = re.search(r"\r\nerror: (.*)\r\nhint: (.*); a key powers off\r\n$", told)
    assert found and found[2], told
    return found[1]


def test_graph_with_link_model_false(smoke: Project, tmp_path: Path) -> None:
    """The same model on the disk instead of in the program: the same text; only what must is made anew."""
    before = {stage: entry["key"] for stage, entry in smoke.manifest().items()}
    linked = (smoke.folder / "build/smoke/BOOTX64.EFI").read_bytes()
    model = smoke.folder / "build/smoke/model.gguf"
    smoke.edit("images/smoke.yaml", "title: Smoke", "title: Smoke\nlink_model: false")
    words = ("image=smoke", "prompt=Once upon", "tokens=40", "temp=0")
    booted = smoke.doit("boot", "accel=tcg", *words)
    assert booted.stdout == smoke.doit("generate", *words).stdout != ""
    after = {stage: entry["key"] for stage, entry in smoke.manifest().items()}
    assert {stage for stage in after if after[stage] != before.get(stage)} == {"reference", "compile:model", "link",
                                                                              "image"}
    program = (smoke.folder / "build/smoke/BOOTX64.EFI").read_bytes()
    assert program.count(reference(model)) == 1 and model.read_bytes()[:64] in linked
    assert model.read_bytes()[:64] not in program
    image = smoke.folder / "build/smoke/smoke.img"
    copy = tmp_path / "copy.gguf"
    subprocess.run(["mcopy", "-i", f"{image}@@{FIRST}", "::/model.gguf", str(copy)], check=True)
    assert copy.read_bytes() == model.read_bytes()


def test_what_is_said_and_the_text(tmp_path: Path, file_disk: Path, tiny_model: bytes,
                                   on_host: Callable[..., bytes]) -> None:
    machine = Machine(tmp_path, file_disk, cpu="qemu64")
    try:
        banner = machine.until(PROMPT).decode(errors="replace")
        lines = banner[banner.index("[boot] "):].split("\r\n")
        assert [line.split()[0] for line in lines[:6]] == [
            "[boot]", "[cores]", "[cpu]", "[memory]", "[load]", "[tpm]"]
        mib = f"{len(tiny_model) / (1 << 20):.1f}"
        assert re.fullmatch(rf"\[load\] model\.gguf {mib} MiB in \d+\.\d\d s, \d+\.\d MB/s, sha256 checked \(scalar\)",
                            lines[4])
        assert re.fullmatch(rf"\[memory\] model\.gguf: {mib} MiB in 1 piece, of \d+ MiB free", lines[3])
        assert lines[5] == "[tpm] none" and lines[0].endswith(" secure_boot=off")
        machine.ask(b"/temp 0")
        machine.ask(b"/max_tokens 60")
        text = on_host(b"Once upon a time", 60).replace(b"\n", b"\r\n")
        assert machine.ask(b"Once upon a time").split(b"\r\n", 1)[1].startswith(text + b"\r\n[stats]")
    finally:
        machine.close()


def test_one_altered_byte_ends_a_scripted_boot(tmp_path: Path, file_disk: Path, tiny_model: bytes) -> None:
    """With the program's own error and hint, exit status 1, and long before any time-out."""
    altered = bytearray(tiny_model)
    altered[-1] ^= 1
    (tmp_path / "altered").write_bytes(altered)
    image = changed(file_disk, tmp_path, ("mcopy", "-o", str(tmp_path / "altered"), "::/model.gguf"))
    qemu, code = real_qemu()
    env = {**os.environ, "INGOT_QEMU": str(as_program(qemu, tmp_path / "qemu")), "INGOT_OVMF": str(code.code),
           "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", "toolchain.qemu", str(image), "accel=tcg", "prompt=x"], env=env,
                          capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"error: model\.gguf is not the file that this program was built for "
                        r"\(sha256 [0-9a-f]{16}\.\.\., expected [0-9a-f]{16}\.\.\.\)\nhint: [^;]+\n", done.stderr)


def test_a_shorter_file(tmp_path: Path, file_disk: Path, tiny_model: bytes) -> None:
    (tmp_path / "short").write_bytes(tiny_model[:-1])
    image = changed(file_disk, tmp_path, ("mcopy", "-o", str(tmp_path / "short"), "::/model.gguf"))
    n = len(tiny_model)
    assert refused(tmp_path, image) == (
        f"model.gguf is not the file that this program was built for ({n - 1} bytes, expected {n})")


def test_no_file(tmp_path: Path, file_disk: Path) -> None:
    image = changed(file_disk, tmp_path, ("mdel", "::/model.gguf"))
    assert refused(tmp_path, image) == "there is no model.gguf on the disk that the program was started from"


def test_a_folder_of_that_name(tmp_path: Path, file_disk: Path) -> None:
    image = changed(file_disk, tmp_path, ("mdel", "::/model.gguf"), ("mmd", "::/model.gguf"))
    assert refused(tmp_path, image) == "model.gguf is a folder, not a file"


def test_a_file_that_ends_before_its_size(tmp_path: Path, file_disk: Path, tiny_model: bytes) -> None:
    """Its folder says more than its clusters hold, as on a damaged disk."""
    image = expect_size(changed(file_disk, tmp_path), len(tiny_model) + (1 << 20))
    error = refused(tmp_path, image)
    assert re.match(r"model\.gguf (cannot be read to its end|ends after \d+ of its \d+ bytes)", error)


def test_too_little_memory(tmp_path: Path, file_disk: Path) -> None:
    image = expect_size(changed(file_disk, tmp_path), BIG)
    found = re.fullmatch(r"not enough memory for model\.gguf: 300 MiB needed, (\d+) MiB found",
                         refused(tmp_path, image))
    assert found and 50 < int(found[1]) < 256
