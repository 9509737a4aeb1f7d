"""/render, /draw and /save_img where there is no screen."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.host import talking
from tests.host.talking import written

NONE = "; no screen: /save_img writes it to a file"


def said(ingot: Path, folder: Path, model: bytes, typed: bytes) -> list[str]:
    """What comes after each line."""
    (folder / "model.gguf").write_bytes(model)
    done = subprocess.run([ingot, "model.gguf", "--chat", "-t", "0"], input=b"/stats off\r" + typed, cwd=folder,
                          capture_output=True, timeout=120, check=True)
    return [part.split("\n", 1)[-1].removesuffix("\n") for part in done.stdout.decode().split("\n> ")[2:]]


def pixel(data: bytes, x: int, y: int) -> tuple[int, ...]:
    head = b"P6\n320 240\n255\n"
    assert data.startswith(head) and len(data) == len(head) + 3 * 320 * 240
    at = len(head) + 3 * (320 * y + x)
    return tuple(data[at : at + 3])


def test_render(ingot: Path, tmp_path: Path) -> None:
    """A picture grows from line to line; where it is written, and what is refused."""
    out = said(ingot, tmp_path, talking.llama(24), b"/render clear 1 2 3; rect 10 20 5 5 9 8 7; circle 1\r"
               b"/render pixel 0 0 255 0 1\r/save_img\r/save_img my.ppm\r/save_img ingot.cfg\r"
               b"/render clear 0 0 0\r/save_img a/b\r")
    assert out[:7] == [f"[picture] understood=2 passed_over=1{NONE}", f"[picture] understood=1 passed_over=0{NONE}",
                       "[saved] picture.ppm bytes=230415", "[saved] my.ppm bytes=230415",
                       "[saved] ingot.cfg.ppm bytes=230415",
                       f"[picture] understood=1 passed_over=0{NONE}", "error: not a name for a file: a/b.ppm"]
    data = (tmp_path / "picture.ppm").read_bytes()
    assert (tmp_path / "my.ppm").read_bytes() == data
    assert [pixel(data, *at) for at in ((0, 0), (12, 22), (15, 25))] == [(255, 0, 1), (9, 8, 7), (1, 2, 3)]


def test_the_model_draws(ingot: Path, tmp_path: Path) -> None:
    """What it says behind the example, up to a blank line; what it does not know is passed over."""
    example = (Path(__file__).parents[2] / "efi_src/engine/commands_draw.c").read_text()
    before = "".join(re.findall(r'^    "(.*)"[;,]?$', example, re.M)).replace("\\n", "\n")
    assert before.endswith("\n\n")
    start = len(re.sub(r"<\|im_\w+\|>", "!", written(before + "a dot:\n"))) - 1
    drawing = b"clear 0 0 9\nrect 1 1 2 2 7 7 7\noops\n\n"
    out = said(ingot, tmp_path, talking.says(drawing + b"pixel 0 0 9 9 9\n", start),
               b"/draw a dot\r/save_img\r/draw\r/stop_nl\r/draw " + b"x" * 513 + b"\r")
    assert out[0] == "clear 0 0 9\nrect 1 1 2 2 7 7 7\noops\n[picture] understood=2 passed_over=1" + NONE
    data = (tmp_path / "picture.ppm").read_bytes()
    assert [pixel(data, *at) for at in ((0, 0), (2, 2), (3, 3))] == [(0, 0, 9), (7, 7, 7), (0, 0, 9)]
    assert out[2:5] == ["error: what shall be drawn? /draw a red house", "stop_nl=off",
                        "error: a text of more than 512 bytes"]
