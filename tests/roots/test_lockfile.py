"""Locks come back as they were written; what is no lock is refused."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.roots.archives import Made, raw
from toolchain.errors import UserError
from toolchain.roots.lockfile import Lock, Package, Wheel, decode, encode, identity, read

LOCK = Lock("ml", "bookworm", "1" * 64, ("python3", "bash"), ("numpy==1+cpu", "x[y]>=2"),
            (("usr/bin/cc", "gcc"), ("usr/bin/sh", "bash")),
            (Package("bash", "5.2.15-2+b13", "pool/main/b/bash/bash_5.2.15-2+b13_amd64.deb", 5, "a" * 64),
             Package("libstdc++6", "1:2~3", "pool/main/g/gcc-12/libstdc++6_2~3_amd64.deb", 6, "b" * 64)),
            (Wheel("numpy", "1+cpu", "numpy-1+cpu-cp311.whl", 7, "c" * 64),), "d" * 64)


def test_round_trip_and_same_bytes() -> None:
    data = encode(LOCK)
    assert decode(data, "x") == LOCK
    assert encode(decode(data, "x")) == data


def test_one_package_a_line() -> None:
    """So that a diff of two locks says what has changed."""
    lines = encode(LOCK).decode().splitlines()
    assert [line.strip(", ") for line in lines if '"bash_' in line or "/bash_" in line] == [
        json.dumps({"name": "bash", "version": "5.2.15-2+b13", "path": "pool/main/b/bash/bash_5.2.15-2+b13_amd64.deb",
                    "size": 5, "sha256": "a" * 64})]
    assert json.loads(encode(LOCK))["packages"][0]["name"] == "bash"


def test_an_empty_one(small: Made) -> None:
    lock = replace(small.lock, packages=(), tree="0" * 64)
    assert decode(encode(lock), "x") == lock


def test_identity_is_name_and_sha256() -> None:
    data = encode(LOCK)
    assert identity("ml", data) == "ml:" + hashlib.sha256(data).hexdigest()


@given(st.integers(0, len(encode(LOCK)) - 1), st.integers(1, 255))
def test_any_byte_changes_the_identity(place: int, change: int) -> None:
    data = bytearray(encode(LOCK))
    data[place] ^= change
    assert identity("ml", bytes(data)) != identity("ml", encode(LOCK))


@settings(deadline=None)
@given(st.data())
def test_any_damage_is_an_error_or_a_lock(data: st.DataObject) -> None:
    content = bytearray(encode(LOCK))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        lock = decode(bytes(content), "cc.lock")
    except UserError as error:
        assert "cc.lock is not a lock" in error.what and "\n" not in error.what and error.hint
    else:
        assert not any(".." in file.path for file in lock.packages)


def spoil(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(lock: dict[str, Any]) -> None:
        where: Any = lock
        for step in path[:-1]:
            where = where[step]
        where[path[-1]] = value

    return change


def twice(lock: dict[str, Any]) -> None:
    lock["packages"] = lock["packages"] * 2


def unsorted(lock: dict[str, Any]) -> None:
    lock["packages"].reverse()


@pytest.mark.parametrize("change, reason", [
    (spoil("format", value=2), "format is 2"), (spoil("format", value=True), "format"),
    (spoil("root", value="../cc"), "root is"), (spoil("root", value=["cc"]), "root is"),
    (spoil("tree", value=""), "tree is ''"), (spoil("tree", value="D" * 64), "tree is"),
    (spoil("tree", value="../" + "d" * 61), "tree is"),
    (spoil("more", value=1), "it must hold"), (spoil("packages", 0, "more", value=1), "a package must hold"),
    (spoil("packages", value={}), "packages is not a list"),
    (spoil("packages", value=["x"]), "a package must hold"),
    (spoil("packages", 0, "name", value="a/b"), "name is"), (spoil("packages", 0, "name", value=None), "name is"),
    (spoil("packages", 0, "name", value="bash\n"), "name is"),
    (spoil("packages", 0, "version", value="1 2"), "version is"),
    (spoil("packages", 0, "path", value="pool/../../x"), "path is"),
    (spoil("packages", 0, "path", value="/etc/passwd"), "path is"),
    (spoil("packages", 0, "path", value="pool/x?y"), "path is"),
    (spoil("packages", 0, "path", value="pool//x"), "path is"),
    (spoil("packages", 0, "size", value=-1), "a size is"), (spoil("packages", 0, "size", value=0), "a size is"),
    (spoil("packages", 0, "size", value=1 << 60), "a size is"), (spoil("packages", 0, "size", value="5"), "a size is"),
    (spoil("packages", 0, "size", value=True), "a size is"), (spoil("packages", 0, "size", value=1.5), "a size is"),
    (spoil("packages", 0, "sha256", value="a" * 63), "sha256 is"),
    (spoil("wheels", value=[{"name": "x", "version": "1", "file": "../x.whl", "size": 1, "sha256": "a" * 64}]),
     "file is"),
    (spoil("links", value={"etc/passwd": "x"}), "links is"),
    (spoil("links", value={"usr/bin/sh": "../../x"}), "links is"),
    (spoil("links", value=[]), "links is not"), (spoil("wanted", value=["--x"]), "wanted is"),
    (spoil("wanted_wheels", value=["-r file"]), "wanted_wheels is"), (twice, "twice"), (unsorted, "not sorted"),
])
def test_what_is_wrong_is_said(change: Callable[[dict[str, Any]], None], reason: str, small: Made) -> None:
    value = raw(small.lock)
    decode(json.dumps(value).encode(), "x")
    change(value)
    with pytest.raises(UserError, match=reason) as caught:
        decode(json.dumps(value).encode(), "toolchain/cc.lock")
    assert caught.value.what.startswith("toolchain/cc.lock is not a lock of a toolchain root: ")
    assert "./doit lock" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b" " * (5 << 20), b"1" * 5000])
def test_no_lock_at_all(data: bytes) -> None:
    with pytest.raises(UserError, match="x is not a lock"):
        decode(data, "x")


def test_a_lock_that_is_too_long_is_not_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "cc.lock").open("wb") as out:
        out.truncate(1 << 40)
    with pytest.raises(UserError, match="longer than"):
        decode(read(tmp_path / "cc.lock"), "x")


def test_the_project_s_own_locks(root: Path) -> None:
    """Each fits packages.yaml, and is as it would be written today."""
    from toolchain.roots import wanted

    table = wanted.read(root / "toolchain/packages.yaml")
    assert set(table) == {"cc", "vm", "dev", "ml"}
    for name, want in table.items():
        data = (root / "toolchain" / f"{name}.lock").read_bytes()
        lock = decode(data, name)
        assert encode(lock) == data
        assert lock.root == name and lock.asked == want.asked, f"./doit lock {name}"
        assert set(want.packages) <= {package.name for package in lock.packages}


def test_an_identity_costs_no_imports(root: Path) -> None:
    """It is part of every ./doit, up to date or not."""
    code = ("import sys; from pathlib import Path; from toolchain.roots.folder import RootFolder;"
            "from toolchain.store import Store; from toolchain.ui import Ui;"
            f"RootFolder(Store(Path('none')), Ui(), Path({str(root / 'toolchain')!r})).identity('cc');"
            "print([name for name in ('yaml', 'requests', 'rich', 'tarfile', 'ctypes') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
