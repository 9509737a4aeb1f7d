"""The settings file: read where it is there, and then strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.errors import UserError
from toolchain.settings import settings, settings_file


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/somebody")
    (tmp_path / "ingot").mkdir()
    return tmp_path / "ingot" / "settings.yaml"


def test_where_it_lies(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_file() == file
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert settings_file() == Path("/home/somebody/.config/ingot/settings.yaml")


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_no_settings(file: Path, text: str) -> None:
    assert settings() == {}
    file.write_text(text)
    assert settings() == {}


def test_all_settings(file: Path) -> None:
    file.write_text("# mine\nremote: http://cache:8080/ingot\nremote_push: true\ntoolchain: docker\ndata_dir: ~/data\n")
    assert settings() == {"remote": "http://cache:8080/ingot", "remote_push": "1", "toolchain": "docker",
                          "data_dir": "/home/somebody/data"}


@pytest.mark.parametrize(("value", "means"), [("1", "1"), ("yes", "1"), ("True", "1"), ("0", "0"), ("off", "0"),
                                              ("'1'", "1")])
def test_push_is_a_switch(file: Path, value: str, means: str) -> None:
    file.write_text(f"remote_push: {value}\n")
    assert settings() == {"remote_push": means}


@pytest.mark.parametrize(("text", "line", "part"), [
    ("remote: http://a\nremot_push: 1\n", 2, "did you mean remote_push?"),
    ("image: tales\n", 1, "there is no setting image"),
    ("remote: http://a\nremote: http://b\n", 2, "given twice"),
    ("remote:\n", 1, "no value"),
    ("remote: [http://a]\n", 1, "no value"),
    ("\nremote_push: maybe\n", 2, "neither 1 nor 0"),
    ("data_dir: data\n", 1, "relative"),
    ("- remote\n", 1, "not a setting"),
    ("remote\n", 1, "not a setting"),
    ("{remote: a}: b\n", 1, "there is no setting"),
    ("remote: 'http://a\n", 2, "not valid YAML"),
    ("a: b: c\n", 1, "not valid YAML"),
    ("remote: !!python/object/apply:os.system [ls]\n", 1, "no value"),
])
def test_what_it_may_not_hold(file: Path, text: str, line: int, part: str) -> None:
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        settings()
    assert f"{file}:{line}: " in str(caught.value) and part in str(caught.value) and caught.value.hint


@pytest.mark.parametrize("data", [b"\xff\xfe", b"remote: \x00\n"])
def test_what_is_no_text(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    with pytest.raises(UserError, match="settings.yaml"):
        settings()


def test_a_folder_in_its_place(file: Path) -> None:
    file.mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        settings()
