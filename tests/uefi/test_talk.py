"""A conversation, its session file and a picture, in one boot: as on the host, and on the machine's own disk and
screen."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import cbuild
from tests.host import talking
from tests.uefi.conftest import with_model
from tests.uefi.machine import PROMPT, Machine
from tests.uefi.test_disk import listed, mtools, off

pytestmark = pytest.mark.qemu


def replies(program: Path, folder: Path, *lines: str) -> list[bytes]:
    """What the host program says after each of the lines."""
    typed = "".join(line + "\r" for line in lines).encode()
    done = subprocess.run([program, folder / "model.gguf", "--chat"], input=typed, cwd=folder, capture_output=True,
                          check=True, timeout=120)
    return [part.split(b"\n", 1)[-1] for part in done.stdout.split(b"\n> ")[1:]]


def test_talk_and_draw(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, disk: Path) -> None:
    model = talking.llama()
    image = with_model(tmp_path, disk, model)
    start = ["/stats off", "/temp 0.8", "/seed 3", "/max_tokens 10", "/system Be brief.", "Hello"]
    after = ["And now?", "Once more"]
    host = replies(cbuild.host_program(tmp_path_factory), tmp_path, *start, *after)[len(start) - 1 :]
    machine = Machine(tmp_path, image, written=True)
    try:
        banner = machine.until(PROMPT)
        assert b" template=chatml\r\n" in banner

        def ask(line: str) -> bytes:
            return machine.ask(line.encode()).split(b"\r\n", 1)[1].replace(b"\r\n", b"\n")

        first = [ask(line) for line in start][-1]
        assert b"[saved] x.session tokens=" in ask("/save x")
        assert [first, *map(ask, after)] == host[:3]
        assert ask("/reset") == b"the conversation begins anew\n"
        assert b"[loaded] x.session tokens=" in ask("/load x")
        assert list(map(ask, after)) == host[1:3]

        ask("/clear")
        assert ask("/render clear 0 0 128; rect 100 50 60 40 250 10 20; pixel 319 0 1 255 2") == \
            b"[picture] understood=3 passed_over=0\n"
        ask("/save_img")
        machine.lit()
        width, height, pixels = machine.screen()
        scale = min(width // 2 // 320, height // 240)
        left = width - 320 * scale

        def at(x: int, y: int) -> tuple[int, ...]:
            """The colour in the middle of the picture's pixel."""
            place = 3 * ((y * scale + scale // 2) * width + left + x * scale + scale // 2)
            return tuple(pixels[place : place + 3])

        assert scale >= 1
        inside, outside = (250, 10, 20), (0, 0, 128)
        assert [at(*xy) for xy in ((100, 50), (159, 89), (130, 70))] == [inside] * 3
        assert [at(*xy) for xy in ((99, 50), (160, 89), (130, 90), (0, 0), (319, 239))] == [outside] * 5
        assert at(319, 0) == (1, 255, 2)
        assert pixels[3 * (left - 1) : 3 * left] == bytes(3)  # beside it
        assert ask("/seed 4") == b"seed=4\n"  # the text goes on
        off(machine)
    finally:
        machine.close()
    assert listed(image) == {"::/EFI/", "::/x.session", "::/picture.ppm"}
    data = mtools(image, "mtype", "::/picture.ppm")
    assert data.startswith(b"P6\n320 240\n255\n")
    row = data[len(b"P6\n320 240\n255\n") + 3 * 320 * 50 :]
    assert row[3 * 99 : 3 * 101] == bytes([0, 0, 128, 250, 10, 20])
