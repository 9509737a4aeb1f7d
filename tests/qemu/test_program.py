"""The EFI program itself, booted by toolchain/qemu, with a small random model."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import cbuild
from tests.engine import models
from tests.once import once
from tests.qemu.conftest import Bed
from tests.qemu.test_leaving import Terminal
from tests.uefi.conftest import efi_objects, link, make_image

pytestmark = pytest.mark.qemu


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with disk.img and model.gguf, made once for all workers of a run."""

    def make(folder: Path) -> None:
        shape = models.Shape(context=64)
        objects = efi_objects(folder, models.model_bytes(shape, models.random_tensors(shape)))
        make_image(folder / "disk.img", link(folder, objects))

    return once(tmp_path_factory, "qemu-program", make)


@pytest.fixture
def program(real: Bed, built: Path) -> Bed:
    real.image.unlink()
    real.image.symlink_to(built / "disk.img")
    return real


@pytest.mark.parametrize("words", [(), ("machine=pc", "cpu=qemu64", "smp=2")])
def test_the_same_text_as_on_the_host(program: Bed, built: Path, tmp_path_factory: pytest.TempPathFactory,
                                      words: tuple[str, ...]) -> None:
    prompt = "Once upon a time,\n\tcafé"
    before = program.digest()
    code, out, err = program.boot({}, "accel=tcg", f"prompt={prompt}", "tokens=80", "temp=0", *words)
    assert (code, err) == (0, "")
    command = [str(cbuild.host_program(tmp_path_factory)), str(built / "model.gguf"), "-t", "0", "--tokens", "80", "-i",
               prompt]
    assert out == subprocess.run(command, capture_output=True, check=True).stdout
    report = program.report
    assert out.decode() == report["text"] and report["text"].startswith(prompt)
    assert report["tokens"] == 80 and report["tok_s"] > 0 and report["boot_ms"] > 1000 and report["exit"] == 0
    assert set(report["kernel"].split("+")) <= {*report["cpu_features"], "scalar"}
    assert program.digest() == before


def test_several_prompts_equal_their_own_boots(program: Bed) -> None:
    (program.folder / "p.txt").write_text("One\nTwo\n")
    settings = ("accel=tcg", "tokens=30", "temp=1", "seed=5")
    code, _, err = program.boot({}, "prompts=p.txt", *settings)
    assert (code, err) == (0, "")
    replies = program.report["replies"]
    assert program.boot({}, "prompt=Two", *settings)[0] == 0
    assert replies[1]["text"] == program.report["text"] and replies[0]["text"].startswith("One")


def test_a_conversation(program: Bed) -> None:
    terminal = Terminal()
    try:
        running = program.start({}, "accel=tcg", "tokens=10", **terminal.files())
        terminal.see(b"max_tokens=10")
        terminal.see(b"> ")
        terminal.type(b"Hellx\x7fo\r")
        terminal.see(b"[stats]")
        terminal.type(b"/nonsens\r")
        terminal.see(b"error: ")
        terminal.type(b"/quit\r")
        assert running.wait(60) == 0
        assert terminal.restored() and b"\x1b[2J" not in terminal.shown
    finally:
        os.close(terminal.near)
        os.close(terminal.far)


def test_lines_from_a_pipe(program: Bed) -> None:
    code, out, err = program.boot({}, "accel=tcg", "tokens=10", typed=b"Hello\n/cpu\n")
    assert (code, err) == (0, "")
    assert b"[boot]" in out and b"Hello" in out and out.count(b"[cpu] ") == 2 and b"[stats]" in out
