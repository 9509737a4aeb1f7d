"""Small file operations."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.files import from_user


@pytest.mark.parametrize(("text", "path"), [
    ("x/y", "/called/from/x/y"), ("../x", "/called/from/../x"), ("", "/called/from"), ("/x", "/x"),
    ("~", "/home/me"), ("~/x", "/home/me/x"), ("x/~", "/called/from/x/~"),
    ("~nobody-here/x", "/called/from/~nobody-here/x")])
def test_a_path_as_the_user_typed_it(text: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGOT_CALLED_FROM", "/called/from")
    monkeypatch.setenv("HOME", "/home/me")
    assert from_user(text) == Path(path)


def test_without_the_wrapper_it_is_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INGOT_CALLED_FROM", raising=False)
    assert from_user("x") == Path("x") and from_user("/x") == Path("/x")
