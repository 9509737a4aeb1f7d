"""What apt says is understood; and a whole lock is made from a small signed archive of Debian's kind."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.roots.archives import Mirror, deb, file, link
from toolchain.errors import UserError
from toolchain.roots import lockfile, relock, resolve
from toolchain.roots.folder import RootFolder
from toolchain.roots.lockfile import Package
from toolchain.roots.resolve import chosen_by, described_in

SIMULATION = """Reading package lists...
Building dependency tree...
The following additional packages will be installed:
  gcc-12 libc6
Inst gcc-12-base (12.2.0-14+deb12u1 Debian:12.12/oldstable [amd64])
Inst libc6 [2.36-1] (2.36-9+deb12u13 Debian:12.12/oldstable [amd64]) []
Inst libgcc-s1:amd64 (12.2.0-14+deb12u1 Debian:12.12/oldstable [amd64])
Inst qemu (1:7.2+dfsg-7+deb12u16 Debian:12.12/oldstable [amd64])
Conf gcc-12-base (12.2.0-14+deb12u1 Debian:12.12/oldstable [amd64])
"""

SHOWN = """Package: libc6
Source: glibc
Version: 2.36-9+deb12u13
Installed-Size: 12986
Replaces: libc6-amd64
Filename: pool/main/g/glibc/libc6_2.36-9+deb12u13_amd64.deb
Size: 2758416
MD5sum: 0123
SHA256: {sha}
Description: GNU C Library
 Version: this line is not a field
 .
 Size: nor this one

Package: broken
Version: 1

Package: local
Version: 1
Filename: ./local_1.deb
Size: 5
SHA256: {sha}
""".format(sha="a" * 64)


def test_what_apt_would_install() -> None:
    assert chosen_by(SIMULATION) == {"gcc-12-base": "12.2.0-14+deb12u1", "libc6": "2.36-9+deb12u13",
                                     "libgcc-s1": "12.2.0-14+deb12u1", "qemu": "1:7.2+dfsg-7+deb12u16"}


def test_what_apt_says_of_packages() -> None:
    assert list(described_in(SHOWN)) == [
        Package("libc6", "2.36-9+deb12u13", "pool/main/g/glibc/libc6_2.36-9+deb12u13_amd64.deb", 2758416, "a" * 64),
        Package("local", "1", "local_1.deb", 5, "a" * 64)]


def test_without_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="locking needs apt") as caught:
        resolve.Apt(tmp_path / "apt", "bookworm", ["http://127.0.0.1:1/debian"])
    assert "Debian" in caught.value.hint


needs_apt = pytest.mark.skipif(not all(map(shutil.which, ("apt-get", "apt-cache", "gpg", "gpgv"))),
                               reason="needs apt and gpg")


@needs_apt
def test_without_the_keys(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="locking needs Debian's keys") as caught:
        resolve.Apt(tmp_path / "apt", "bookworm", ["http://127.0.0.1:1/debian"], tmp_path / "none.gpg")
    assert "debian-archive-keyring" in caught.value.hint


class Archive:
    """Packages with their signed index, on a mirror."""

    def __init__(self, folder: Path, mirror: Mirror) -> None:
        self.keyring = folder / "key.gpg"
        self._gpg = ["gpg", "--homedir", str(folder / "gnupg"), "--batch", "--quiet", "--yes"]
        self.mirror = mirror
        (folder / "gnupg").mkdir(mode=0o700)
        subprocess.run([*self._gpg, "--passphrase", "", "--quick-generate-key", "ingot", "ed25519", "sign", "never"],
                       check=True, capture_output=True)
        subprocess.run([*self._gpg, "--output", str(self.keyring), "--export"], check=True)

    def publish(self, packages: Mapping[str, tuple[str, str, bytes]], signed: bool = True) -> None:
        """name -> version, Depends and the .deb."""
        index = ""
        for name, (version, depends, content) in packages.items():
            path = f"pool/main/{name}_{version}_amd64.deb"
            self.mirror.pool[path] = content
            index += (f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: x\n"
                      + (f"Depends: {depends}\n" if depends else "") +
                      f"Recommends: extra\nFilename: {path}\nSize: {len(content)}\n"
                      f"SHA256: {hashlib.sha256(content).hexdigest()}\nDescription: x\n\n")
        data = index.encode()
        release = ("Origin: Test\nLabel: Test\nSuite: stable\nCodename: bookworm\nDate: Sat, 06 Sep 2025 10:00:00 UTC\n"
                   "Architectures: amd64\nComponents: main\nSHA256:\n"
                   f" {hashlib.sha256(data).hexdigest()} {len(data)} main/binary-amd64/Packages\n").encode()
        if signed:
            release = subprocess.run([*self._gpg, "--clearsign"], input=release, check=True, capture_output=True).stdout
        self.mirror.pool["dists/bookworm/main/binary-amd64/Packages"] = data
        self.mirror.pool["dists/bookworm/InRelease"] = release


LIBC = ("2.36-9", "", deb(file("lib/x/libc.so.6", b"libc", 0o755)))
BASH = ("5.2-2+b1", "libc6 (>= 2.30)", deb(file("bin/bash", b"bash", 0o755)))
EXTRA = ("1", "", deb(file("usr/extra")))
YAML = """suite: bookworm
roots:
  cc: {packages: [bash], links: {usr/bin/sh: bash}}
  vm: {packages: [libc6]}
"""


@pytest.fixture
def archive(
    tmp_path: Path, mirror: Callable[[], Mirror], monkeypatch: pytest.MonkeyPatch, roots: RootFolder
) -> Iterator[Archive]:
    """bash, libc6, and one that nothing depends on; and a packages.yaml that wants the first two."""
    (tmp_path / "signer").mkdir()
    made = Archive(tmp_path / "signer", mirror())
    made.publish({"bash": BASH, "libc6": LIBC, "extra": EXTRA})
    true = resolve.Apt
    monkeypatch.setattr(relock, "Apt", lambda folder, suite, mirrors: true(folder, suite, mirrors, made.keyring))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(resolve, "_proxies", lambda: "")
    roots.locks.mkdir()
    (roots.locks / "packages.yaml").write_text(YAML)
    yield made
    subprocess.run(["gpgconf", "--homedir", str(tmp_path / "signer/gnupg"), "--kill", "all"], check=True)


def again(roots: RootFolder) -> RootFolder:
    """What a new process would see."""
    return RootFolder(roots.store, roots.ui, roots.locks)


@needs_apt
def test_a_lock_from_a_signed_archive(archive: Archive, roots: RootFolder, tmp_path: Path) -> None:
    done = list(relock.relock([], roots))
    assert [one.new.root for one in done] == ["cc", "vm"] and [one.old for one in done] == [None, None]
    lock = again(roots).lock("cc")
    assert lock == done[0].new
    assert [(p.name, p.version) for p in lock.packages] == [("bash", "5.2-2+b1"), ("libc6", "2.36-9")]
    assert lock.packages[0].sha256 == hashlib.sha256(BASH[2]).hexdigest()
    inrelease = archive.mirror.pool["dists/bookworm/InRelease"]
    assert lock.inrelease == hashlib.sha256(inrelease).hexdigest()
    assert again(roots).look("cc") is not None  # it is unpacked already
    assert sorted(os.listdir(again(roots).ensure("cc").path / "usr/bin")) == ["bash", "sh"]
    assert not list(roots.store.folder.glob("tmp/*"))


@needs_apt
def test_the_same_archive_gives_the_same_bytes(archive: Archive, roots: RootFolder, tmp_path: Path) -> None:
    list(relock.relock([], roots))
    path = roots.locks / "cc.lock"
    before, stat = path.read_bytes(), path.stat()
    [done] = relock.relock(["cc"], again(roots))
    assert done.old == done.new and done.changes() == []
    assert path.read_bytes() == before and path.stat().st_ino == stat.st_ino
    elsewhere = RootFolder(type(roots.store)(tmp_path / "other"), roots.ui, roots.locks)
    list(relock.relock(["cc"], elsewhere))
    assert path.read_bytes() == before


@needs_apt
def test_a_change_upstream_changes_the_locks_it_reaches(archive: Archive, roots: RootFolder) -> None:
    list(relock.relock([], roots))
    newer = ("5.2-3", "libc6", deb(file("bin/bash", b"newer", 0o755), link("bin/rbash", "bash")))
    archive.publish({"bash": newer, "libc6": LIBC, "extra": EXTRA})
    cc, vm = relock.relock([], again(roots))
    assert cc.changes() == ["~ bash 5.2-2+b1 -> 5.2-3"] and vm.changes() == []
    assert cc.old is not None and cc.new.tree != cc.old.tree
    assert vm.old is not None and vm.new.tree == vm.old.tree


@needs_apt
@pytest.mark.parametrize("packages", ["[none]", "[bash, none]"])
def test_a_package_that_does_not_exist(packages: str, archive: Archive, roots: RootFolder) -> None:
    (roots.locks / "packages.yaml").write_text(f"suite: bookworm\nroots: {{cc: {{packages: {packages}}}}}\n")
    with pytest.raises(UserError, match="apt cannot resolve .*none") as caught:
        list(relock.relock([], roots))
    assert "packages.yaml" in caught.value.hint
    assert os.listdir(roots.locks) == ["packages.yaml"]


@needs_apt
def test_an_index_that_nobody_signed(archive: Archive, roots: RootFolder) -> None:
    archive.publish({"bash": BASH, "libc6": LIBC}, signed=False)
    with pytest.raises(UserError, match="apt cannot read the index of bookworm"):
        list(relock.relock([], roots))
    assert os.listdir(roots.locks) == ["packages.yaml"]


@needs_apt
def test_the_next_mirror_has_the_index(archive: Archive, roots: RootFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBIAN_MIRROR", f"{archive.mirror.url}/none {archive.mirror.url}")
    [done] = relock.relock(["vm"], roots)
    assert [package.name for package in done.new.packages] == ["libc6"]


def test_a_root_that_is_not_wanted(roots: RootFolder) -> None:
    roots.locks.mkdir()
    (roots.locks / "packages.yaml").write_text(YAML)
    with pytest.raises(UserError, match="there is no toolchain root gpu"):
        list(relock.relock(["gpu"], roots))


def test_what_changed_is_told() -> None:
    def lock(*packages: tuple[str, str]) -> lockfile.Lock:
        return lockfile.Lock("cc", "bookworm", "0" * 64, (), (), (), tuple(
            Package(name, version, "pool/x", 1, "0" * 64) for name, version in packages))

    done = relock.Relocked(lock(("a", "1"), ("b", "1"), ("c", "1")), lock(("b", "2"), ("c", "1"), ("d", "1")))
    assert done.changes() == ["- a 1", "~ b 1 -> 2", "+ d 1"]
