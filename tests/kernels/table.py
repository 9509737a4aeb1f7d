"""struct kernels for ctypes, as the header declares it."""

from __future__ import annotations

import ctypes
import re

from tests.cbuild import SOURCES

FUNCTIONS = re.findall(r"void \(\*(\w+)\)\(", (SOURCES / "kernels" / "kernels.h").read_text())


class Kernels(ctypes.Structure):
    """One table; functions as addresses."""

    _fields_ = [("name", ctypes.c_char_p), *((name, ctypes.c_void_p) for name in FUNCTIONS)]

    def call(self, name: str, *arguments: object) -> None:
        """Calls one of its functions, with what ctypes can pass to a pointer."""
        ctypes.CFUNCTYPE(None)(getattr(self, name))(*arguments)
