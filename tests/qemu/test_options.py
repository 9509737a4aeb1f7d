"""The variables of boot."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.errors import UserError
from toolchain.qemu import parse
from toolchain.qemu.options import VARIABLES, BootOptions


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.img"
    path.touch()
    return path


def test_defaults(image: Path) -> None:
    assert parse({}, image) == BootOptions(image)
    assert parse({"image": "other", "data_dir": "/x"}, image) == BootOptions(image)  # others' variables
    assert [parse({"toolchain": name}, image).host for name in ("auto", "host")] == [False, True]


def test_every_variable_is_read(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGOT_CALLED_FROM", "/called/from")
    given = {"accel": "kvm", "cpu": "qemu64,+avx", "machine": "pc", "smp": "4", "mem": "512m", "avx2": "on",
             "display": "gui", "fallback": "0", "timeout": "1.5", "raw_exit": "1", "fresh": "1", "ovmf": "fw",
             "prompt": "a\nb", "tokens": "3", "seed": str(2**64 - 1), "temp": "0.5", "top_k": "0", "top_p": "1"}
    assert set(given) | {"prompts"} == set(VARIABLES)
    assert parse(given, image) == BootOptions(
        image, "kvm", "qemu64,+avx", "pc", 4, "512M", "on", "gui", False, 1.5, True, True, Path("/called/from/fw"),
        False, ("a\nb",), False, "3", str(2**64 - 1), "0.5", "0", "1")


@pytest.mark.parametrize(("name", "value"), [
    ("accel", "kmv"), ("accel", ""), ("cpu", "ma x"), ("cpu", "-help"), ("machine", "microvm"), ("smp", "0"),
    ("smp", "two"), ("smp", "256"), ("mem", "2"), ("mem", "128M"), ("mem", "1T"), ("avx2", "yes"), ("display", "gtk"),
    ("fallback", "no"), ("timeout", "0"), ("timeout", "-1"), ("raw_exit", "2"), ("fresh", "true"),
    ("tokens", "0"), ("tokens", "1000001"), ("seed", "-1"), ("seed", str(2**64)), ("temp", "hot"), ("temp", "1e3"),
    ("temp", "101"), ("top_k", "1.5"), ("top_p", "1.1"), ("smp", "²"),
])
def test_wrong_values_are_named(image: Path, name: str, value: str) -> None:
    with pytest.raises(UserError) as caught:
        parse({name: value}, image)
    assert f"{name}={value}" in caught.value.what and caught.value.hint


@pytest.mark.parametrize("prompt", ["a\x1b[A", "a\rb", "a\x7f", "\x03", "\udcff"])
def test_prompts_that_would_be_keys(image: Path, prompt: str) -> None:
    with pytest.raises(UserError) as caught:
        parse({"prompt": prompt}, image)
    assert caught.value.what.startswith("prompt=") and caught.value.hint


def test_prompts_file(image: Path, tmp_path: Path) -> None:
    file = tmp_path / "p.txt"
    file.write_text("one\n\n two\n")
    options = parse({"prompts": str(file)}, image)
    assert options.prompts == ("one", " two") and options.several and options.seconds == 1200
    assert options.settings() == ["/seed 1"]
    file.write_text("one\n\x1b[A\n")
    for bad in ({"prompts": str(file)}, {"prompts": str(tmp_path)}, {"prompts": str(file), "prompt": "x"}):
        with pytest.raises(UserError):
            parse(bad, image)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="not UTF-8"):
        parse({"prompts": str(file)}, image)
    file.write_text("\n")
    with pytest.raises(UserError, match="holds no prompt"):
        parse({"prompts": str(file)}, image)


def test_an_empty_prompt_is_a_prompt(image: Path) -> None:
    assert parse({"prompt": ""}, image).prompts == ("",)


def test_image_paths(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a directory"):
        parse({}, tmp_path)
    with pytest.raises(UserError, match="there is no image"):
        parse({}, tmp_path / "none.img")
