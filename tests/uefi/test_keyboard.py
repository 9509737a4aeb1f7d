"""Keys pressed through QMP, and the screen that a keyboard's user looks at."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.uefi.machine import PROMPT, Machine

pytestmark = pytest.mark.qemu


def test_keyboard_and_screen(boot: Callable[..., Machine], on_host: Callable[..., bytes]) -> None:
    machine = boot()
    machine.ask(b"/temp 0")
    machine.ask(b"/max_tokens 40")
    machine.press("shift-h", "i", "x", "backspace", "spc", "1", "ret")
    echo, text = machine.until(PROMPT).split(b"\r\n", 1)
    assert echo == b"Hix\b \b 1"
    assert text.startswith(on_host(b"Hi 1", 40).replace(b"\n", b"\r\n") + b"\r\n[stats]")

    # Up brings the last line, Ctrl-U takes it back, arrow keys leave no bytes behind
    machine.press("a", "ctrl-u", "up")
    machine.until(b"Hi 1")
    machine.press("ctrl-u", "slash", "n", "o")
    machine.until(b"/no")
    machine.press("left", "right", "ret")
    assert b"error: no command /no" in machine.until(PROMPT)

    # Esc stops a reply that would take minutes
    machine.ask(b"/max_tokens 1000000")
    machine.send(b"go\r")
    machine.until(b"go\r\ngo")
    machine.press("esc")
    assert b"[stopped]" in machine.until(PROMPT)

    assert_screen_follows(machine)
    machine.press("slash", "q", "u", "i", "t", "ret")
    assert machine.power_off() == 0


def assert_screen_follows(machine: Machine) -> None:
    """Each character lights its own pixels, whatever the font is; what has no glyph looks like '?'."""
    machine.ask(b"/clear")

    def added(text: str) -> int:
        before = machine.lit()
        machine.send(text.encode())
        machine.until(text.encode())
        return machine.lit() - before

    letter, again, other = added("A"), added("A"), added("i")
    assert letter == again > other > 0
    assert added("é") > 0
    assert added("中") == added("?") > 0
    assert added("’") == added("'") > 0
    before = machine.lit()
    machine.send(b"\x7f")
    machine.until(b"\b \b")
    assert before - machine.lit() == added("'")
    machine.send(b"\x15")
