"""packages.yaml is read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.errors import UserError
from toolchain.roots.wanted import Wanted, read


def table(tmp_path: Path, text: str) -> dict[str, Wanted]:
    (tmp_path / "packages.yaml").write_text(text)
    return read(tmp_path / "packages.yaml")


def test_all_there_is(tmp_path: Path) -> None:
    text = "suite: bookworm\nroots:\n  ml: {packages: [python3], wheels: [torch==2+cpu], links: {usr/bin/sh: bash}}\n"
    assert table(tmp_path, text) == {
        "ml": Wanted("ml", "bookworm", ("python3",), ("torch==2+cpu",), (("usr/bin/sh", "bash"),))}


@pytest.mark.parametrize("text, reason", [
    ("", "must hold roots and suite"), ("[]", "must hold"), ("suite: x", "must hold"), ("suite: [", "cannot be read"),
    ("suite: x\nroots: {}", "at least one root"), ("suite: x\nroots: []", "at least one root"),
    ("suite: 'x y'\nroots: {cc: {packages: [a]}}", "suite: 'x y' cannot be used"),
    ("suite: x\nmore: 1\nroots: {cc: {packages: [a]}}", "must hold"),
    ("suite: x\nroots: {CC: {packages: [a]}}", "'CC' cannot be used"),
    ("suite: x\nroots: {1: {packages: [a]}}", "1 cannot be used"),
    ("suite: x\nroots: {cc: [a]}", "roots.cc must hold packages"),
    ("suite: x\nroots: {cc: {packages: a}}", "roots.cc.packages must be a list"),
    ("suite: x\nroots: {cc: {packages: [a, a]}}", "twice"),
    ("suite: x\nroots: {cc: {packages: [--option]}}", "'--option' cannot be used"),
    ("suite: x\nroots: {cc: {packages: [1]}}", "1 cannot be used"),
    ("suite: x\nroots: {cc: {packages: [a], wheels: [-rfile]}}", "'-rfile' cannot be used"),
    ("suite: x\nroots: {cc: {packages: [a], links: [a]}}", "links must hold PATH: TARGET"),
    ("suite: x\nroots: {cc: {packages: [a], links: {usr/../x: a}}}", "cannot be used"),
    ("suite: x\nroots: {cc: {packages: [a], links: {etc/x: a}}}", "cannot be used"),
    ("suite: x\nroots: {cc: {packages: [a], links: {usr/x: /a}}}", "cannot be used"),
    ("suite: !!python/object:os.system x", "cannot be read"),
])
def test_what_is_wrong_is_said(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="packages.yaml") as caught:
        table(tmp_path, text)
    assert reason in caught.value.what and "\n" not in caught.value.what and caught.value.hint


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read(tmp_path / "packages.yaml")
