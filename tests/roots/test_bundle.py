"""Bundles: what one machine has, another takes; nothing else gets into the store."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.roots.archives import Made, Member, Mirror, deb, file, link, named, root_of, special, tar
from tests.roots.test_folder import GOLDEN
from toolchain.errors import UserError
from toolchain.roots.bundle import take, write
from toolchain.roots.folder import RootFolder
from toolchain.store import Store
from toolchain.ui import Ui


@pytest.fixture
def bundle(small: Made, mirror: Callable[[], Mirror], tmp_path: Path, roots: RootFolder) -> Path:
    """The small root's packages, fetched and written."""
    small.write(GOLDEN)
    server = mirror()
    server.pool.update(small.debs)
    write(tmp_path / "bundle.tar", [roots.lock("cc")], roots)
    server.close()
    return tmp_path / "bundle.tar"


def blobs(store: Store) -> list[str]:
    return sorted(path.name for path in store.folder.glob("cas/*/*"))


def member(content: bytes, name: str | None = None) -> tuple[tarfile.TarInfo, bytes]:
    return file(name or hashlib.sha256(content).hexdigest(), content)


def test_there_and_back(bundle: Path, small: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a mirror has the same root."""
    monkeypatch.setenv("DEBIAN_MIRROR", "http://127.0.0.1:1/none")
    there = RootFolder(Store(tmp_path / "there"), Ui(), small.locks)
    assert take(bundle, [there.lock("cc")], there.store) == 2
    assert there.check("cc").tree == GOLDEN
    assert not list(there.store.folder.glob("tmp/*"))


def test_the_same_bytes_each_time(bundle: Path, small: Made, roots: RootFolder, tmp_path: Path) -> None:
    lock = roots.lock("cc")
    size = write(tmp_path / "again.tar", [lock, lock], roots)
    assert (tmp_path / "again.tar").read_bytes() == bundle.read_bytes()
    assert size == bundle.stat().st_size
    with tarfile.open(bundle) as archive:
        assert archive.getnames() == sorted(package.sha256 for package in lock.packages)


@pytest.mark.parametrize("stranger", [
    member(b"a package that no lock names"), special("0" * 64), link("a" * 64, "/etc/passwd"),
    member(b"x", "../../x"), member(b"x", "/x"), member(b"\x1b[2J", "\x1b[2J"),
], ids=named)
def test_strangers_are_refused_by_name(stranger: Member, small: Made, store: Store, tmp_path: Path) -> None:
    good = member(next(iter(small.debs.values())))
    (tmp_path / "bundle.tar").write_bytes(tar([stranger, good]))
    with pytest.raises(UserError, match="no lock names it") as caught:
        take(tmp_path / "bundle.tar", [small.lock], store)
    name = (stranger[0] if isinstance(stranger, tuple) else stranger).name
    assert name.replace("\x1b", "?") in caught.value.what and "1 packages taken" in caught.value.what
    assert blobs(store) == [good[0].name]
    assert not (tmp_path / "x").exists() and not list(store.folder.glob("tmp/*"))


def test_wrong_bytes_under_a_right_name(small: Made, store: Store, tmp_path: Path) -> None:
    package = small.lock.packages[0]
    (tmp_path / "bundle.tar").write_bytes(tar([member(bytes(package.size), package.sha256)]))
    with pytest.raises(UserError, match=r"refused libs 1:1\.0\+b1~x \(wrong bytes\)"):
        take(tmp_path / "bundle.tar", [small.lock], store)
    assert blobs(store) == []


def test_a_size_that_the_lock_does_not_say(small: Made, store: Store, tmp_path: Path) -> None:
    """A bomb is not read."""
    package = small.lock.packages[0]
    (tmp_path / "bundle.tar").write_bytes(tar([member(bytes(package.size + 1), package.sha256)]))
    with pytest.raises(UserError, match="refused"):
        take(tmp_path / "bundle.tar", [small.lock], store)
    assert blobs(store) == []


@pytest.mark.parametrize("spoil", [lambda data: data[:700], lambda data: b"", lambda data: b"x" * 2000],
                         ids=["cut", "empty", "other"])
def test_a_file_that_is_no_bundle(spoil: Callable[[bytes], bytes], bundle: Path, small: Made, tmp_path: Path) -> None:
    bundle.write_bytes(spoil(bundle.read_bytes()))
    store = Store(tmp_path / "there")
    with pytest.raises(UserError, match="is not a whole bundle"):
        take(bundle, [small.lock], store)
    assert not list(store.folder.glob("tmp/*"))


def test_no_file(tmp_path: Path, store: Store, small: Made) -> None:
    with pytest.raises(UserError, match="does not exist"):
        take(tmp_path / "none.tar", [small.lock], store)


def test_a_failed_export_leaves_no_file(small: Made, roots: RootFolder, mirror: Callable[[], Mirror],
                                        tmp_path: Path) -> None:
    small.write(GOLDEN)
    mirror()
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="cannot fetch"):
        write(tmp_path / "out/bundle.tar", [roots.lock("cc")], roots)
    assert list((tmp_path / "out").iterdir()) == []


def test_two_roots_share_a_package(
    small: Made, mirror: Callable[[], Mirror], roots: RootFolder, tmp_path: Path
) -> None:
    other = root_of(small.locks, {"shell": small.debs[small.lock.packages[1].path], "more": deb(file("usr/m"))}, "vm")
    mirror().pool.update({**small.debs, **other.debs})
    write(tmp_path / "b.tar", [small.lock, other.lock], roots)
    with tarfile.open(fileobj=io.BytesIO((tmp_path / "b.tar").read_bytes())) as archive:
        assert len(archive.getnames()) == 3
