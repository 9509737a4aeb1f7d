"""The release of tests/release/conftest.py, and the same one signed, for Secure Boot too."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.project import Project, clone
from tests.release import keys
from tests.release.conftest import NAME, Released
from toolchain import release
from toolchain.digest import sha256
from toolchain.release import sums
from toolchain.release.sign import load_key
from toolchain.release.verify import Lie, Line, Trusted, whole
from toolchain.release.verify.program import certificate

FILES = (release.EFI, release.SBOM, release.PROVENANCE, release.REPORT, release.SUMS, f"{NAME}.img.zst")
PACKED = f"{NAME}.img.zst"


@dataclass(frozen=True)
class Signed:
    """A signed release, and what its owner would hand out."""

    folder: Path
    key: bytes
    cert: bytes
    project: Project

    @property
    def trusted(self) -> Trusted:
        """One who has both."""
        return Trusted(self.key, certificate(self.cert))


@pytest.fixture(scope="session")
def signed_template(released: Released, tmp_path_factory: pytest.TempPathFactory) -> Signed:
    """Made once for all workers; never changed."""
    folder = tmp_path_factory.getbasetemp().parent / "signed-template"
    folder.mkdir(exist_ok=True)
    project, key, cert = Project(folder / "project", folder / "cache"), folder / "key.pem", folder / "cert.pem"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            for left in (project.folder, project.cache):
                shutil.rmtree(left, ignore_errors=True)
            clone(released.project, folder)
            shutil.rmtree(project.folder / release.DIST)
            keys.make_certificate(cert, load_key(keys.make_key(key, "RSA 2048"), None))
            project.doit("release", "image=smoke", f"sign={key}", f"cert={cert}")
            (folder / "made").touch()
    where = project.folder / release.DIST / NAME
    return Signed(where, (where / release.PUBLIC_KEY).read_bytes(), cert.read_bytes(), project)


@pytest.fixture
def signed(signed_template: Signed, tmp_path: Path) -> Signed:
    """One to alter."""
    folder = tmp_path / "signed" / NAME
    shutil.copytree(signed_template.folder, folder)
    return Signed(folder, signed_template.key, signed_template.cert, signed_template.project)


@pytest.fixture
def plain(released: Released, tmp_path: Path) -> Path:
    """One without signatures, to alter."""
    shutil.copytree(released.folder, tmp_path / NAME)
    return tmp_path / NAME


def check(folder: Path, trusted: Trusted | None = None) -> list[Line]:
    """The lines of a release that is right; raises Lie."""
    lines: list[Line] = []
    whole(folder, trusted or Trusted(), lines.append, lambda *_: None)
    return lines


def liar(call: Callable[[], object]) -> Lie:
    """The lie that the call finds."""
    with pytest.raises(Lie) as caught:
        call()
    assert caught.value.text and caught.value.file
    return caught.value


def flip(path: Path, at: int, by: int = 1) -> None:
    """Alters one byte."""
    data = bytearray(path.read_bytes())
    data[at] ^= by
    path.write_bytes(data)


def list_anew(folder: Path) -> None:
    """SHA256SUMS as a forger writes it: of the files that are there."""
    (folder / release.SUMS).write_bytes(sums.encode(
        {name: sha256(folder / name) for name in FILES if name != release.SUMS}))
