"""Wheels: pip chooses and fetches, and only modules get into the tree."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from toolchain.errors import UserError
from toolchain.roots import wheels
from toolchain.roots.deb import placed
from toolchain.roots.lockfile import Package, Wheel
from toolchain.roots.tree import BadMember, Writer
from toolchain.roots.wheels import FOLDER, chosen, get_wheels, python_of, resolve

FILE = "tiny_thing-1.0-py3-none-any.whl"


def wheel(path: Path, members: dict[str, str]) -> Path:
    """A wheel of these members, as pip wants one."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        info = f"{path.name.split('-')[0]}-1.0.dist-info/"
        requires = "Requires-Dist: other\n" if "thing" in path.name else ""
        name = path.name.split("-")[0].replace("_", "-")
        archive.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}")
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(info + "RECORD", "")
    return path


def odd(path: Path, name: str, mode: int) -> Path:
    """A wheel of one member with this name and mode."""
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, b"x")
    return path


def put(tmp_path: Path, source: Path) -> Path:
    wheels.unpack(source, Writer(tmp_path / "root", placed), lambda: None)
    return tmp_path / "root" / FOLDER


def test_modules_and_nothing_else(tmp_path: Path) -> None:
    found = put(tmp_path, wheel(tmp_path / "a-1.0-py3-none-any.whl", {
        "a/b.py": "b = 1", "a-1.0.data/purelib/pure.py": "", "a-1.0.data/platlib/x/plat.so": "",
        "a-1.0.data/scripts/run": "", "a-1.0.data/headers/a.h": "", "a-1.0.data/data/etc/a": ""}))
    assert sorted(str(path.relative_to(found)) for path in found.rglob("*") if path.is_file()) == [
        "a-1.0.dist-info/METADATA", "a-1.0.dist-info/RECORD", "a-1.0.dist-info/WHEEL", "a/b.py", "pure.py", "x/plat.so"]
    assert os.listdir(tmp_path / "root/usr") == ["lib"]


def test_executable_bits_are_kept(tmp_path: Path) -> None:
    found = put(tmp_path, odd(tmp_path / "a.whl", "a/bin/tool", stat.S_IFREG | 0o755))
    assert (found / "a/bin/tool").stat().st_mode & 0o777 == 0o555


@pytest.mark.parametrize("name, mode", [
    ("../x", 0o644), ("/x", 0o644), ("a/../../x", 0o644), ("a\\..\\x/../../../y", 0), ("x.data/purelib/../../../y", 0),
    ("link", stat.S_IFLNK | 0o777), ("dev", stat.S_IFCHR | 0o644)])
def test_hostile_members(name: str, mode: int, tmp_path: Path) -> None:
    with pytest.raises(BadMember):
        put(tmp_path, odd(tmp_path / "a.whl", name, mode))
    assert sorted(os.listdir(tmp_path)) == ["a.whl", "root"]


def test_two_wheels_with_one_file(tmp_path: Path) -> None:
    put(tmp_path, odd(tmp_path / "a.whl", "same.py", 0))
    with pytest.raises(BadMember, match="is there twice"):
        put(tmp_path, odd(tmp_path / "b.whl", "same.py", 0))


@pytest.mark.parametrize("spoil", [lambda data: data[:-30], lambda data: b"", lambda data: data.replace(b"xx", b"xy")],
                         ids=["cut", "empty", "crc"])
def test_a_damaged_wheel(spoil: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr("a.py", "xx")
    (tmp_path / "a.whl").write_bytes(spoil((tmp_path / "a.whl").read_bytes()))
    with pytest.raises(zipfile.BadZipFile):
        put(tmp_path, tmp_path / "a.whl")


def test_the_root_s_python() -> None:
    package = Package("python3", "3.11.2-1+b1", "pool/x", 1, "0" * 64)
    assert python_of([package]) == "3.11"
    with pytest.raises(UserError, match="needs the package python3"):
        python_of([replace(package, name="bash")])


def report(url: str, digest: str | None = "a" * 64) -> dict[str, Any]:
    """One entry of pip's report."""
    info = {"hashes": {"sha256": digest}} if digest else {}
    return {"metadata": {"name": "Tiny_Thing", "version": "1.0+cpu"},
            "download_info": {"url": url, "archive_info": info}}


def test_what_pip_says() -> None:
    assert chosen(report("https://host/a/tiny_thing-1.0%2Bcpu-py3-none-any.whl")) == Wheel(
        "tiny-thing", "1.0+cpu", "tiny_thing-1.0+cpu-py3-none-any.whl", 0, "a" * 64)


@pytest.mark.parametrize("url, digest", [("https://host/a/x-1.0.tar.gz", "a" * 64), ("https://host/a/x.whl", None)])
def test_what_pip_says_and_we_cannot_pin(url: str, digest: str | None) -> None:
    with pytest.raises(UserError, match="no wheel of Tiny_Thing with a sha256"):
        chosen(report(url, digest))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two wheels, the only ones that pip can find."""
    (tmp_path / "index").mkdir()
    wheel(tmp_path / "index" / FILE, {"tiny_thing.py": ""})
    wheel(tmp_path / "index/other-1.0-py3-none-any.whl", {"other.py": ""})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return tmp_path / "index"


def test_pip_chooses_and_fetches(index: Path, tmp_path: Path) -> None:
    found = resolve(["tiny-thing"], "3.11")
    assert [(one.name, one.version, one.file) for one in found] == [
        ("other", "1.0", "other-1.0-py3-none-any.whl"), ("tiny-thing", "1.0", FILE)]
    assert found[1].sha256 == hashlib.sha256((index / FILE).read_bytes()).hexdigest()
    assert [path.name for path in get_wheels(found, "3.11", tmp_path / "got")] == [one.file for one in found]


def test_a_wheel_with_other_bytes(index: Path, tmp_path: Path) -> None:
    [other, thing] = resolve(["tiny-thing"], "3.11")
    with pytest.raises(UserError, match="cannot fetch wheels: .*tiny-thing") as caught:
        list(get_wheels([other, replace(thing, sha256="0" * 64)], "3.11", tmp_path / "got"))
    assert "PIP_FIND_LINKS" in caught.value.hint and "\n" not in caught.value.what


def test_a_wheel_that_is_gone(index: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot choose wheels: .*nothing-like-it"):
        resolve(["nothing-like-it"], "3.11")
