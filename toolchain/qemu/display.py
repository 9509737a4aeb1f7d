"""QEMU's window: which kind this QEMU can open."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from toolchain.errors import UserError
from toolchain.qemu.binary import Qemu


def argument(qemu: Qemu) -> str:
    """The -display of display=gui. Raises UserError where there is none."""
    shown = subprocess.run(qemu.argv("-display", "help"), env=qemu.environ(os.environ), capture_output=True, text=True,
                           timeout=20, check=False, stdin=subprocess.DEVNULL)
    return choose(shown.stdout.split(), sys.platform, os.environ)


def choose(backends: list[str], platform: str, environ: Mapping[str, str]) -> str:
    """Among the words of `-display help`. Raises UserError."""
    if platform not in ("darwin", "win32") and not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
        raise UserError("display=gui: there is no screen (neither DISPLAY nor WAYLAND_DISPLAY is set)",
                        "use display=serial, or ssh -X")
    for name in ("cocoa", "gtk", "sdl"):
        if name in backends:
            return f"{name},show-menubar=off" if name == "gtk" else name
    raise UserError("display=gui: this QEMU has no window (no gtk, sdl or cocoa)",
                    "install qemu-system-gui (Debian, Ubuntu), or use display=serial")
