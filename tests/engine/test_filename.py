"""Names that FAT, Linux and a command line all take."""

from __future__ import annotations

import ctypes

import pytest

from tests.engine.test_settings import Error


@pytest.mark.parametrize(("name", "fits"), [
    (b"log.txt", True), (b"a", True), (b"x" * 48, True), (b"A-b_c~1(2)", True),
    (b"", False), (b"x" * 49, False), (b".hidden", False), (b"ends.", False), (b"..", False), (b"a b", False),
    (b"a/b", False), (b"a\\b", False), (b"c:d", False), (b"a*", False), (b"a?", False), (b"a|b", False),
    (b'a"b', False), (b"<a>", False), (b"\xc3\xa9", False), (b"a\x7f", False), (b"a\n", False),
])
def test_filename(engine: ctypes.CDLL, name: bytes, fits: bool) -> None:
    assert (engine.filename_check(name, ctypes.byref(Error())) == 0) == fits
