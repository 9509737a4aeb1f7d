"""The small image's program, signed with the key that the firmware trusts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.executors.conftest import needs
from tests.project import Project
from tests.secure.machine import snakeoil
from tests.uefi.conftest import file_disk, make_image, tiny_model
from toolchain.release.secureboot import sign_efi
from toolchain.release.sign import load_key
from toolchain.roots import run_on
from toolchain.roots.folder import RootFolder
from toolchain.store import Store, default_folder
from toolchain.ui import Ui

__all__ = ["file_disk", "tiny_model"]  # fixtures of other tests


@pytest.fixture(scope="session")
def roots() -> RootFolder:
    """This machine's toolchain roots."""
    import platform
    import sys

    runs = run_on(sys.platform, platform.machine())
    needs("Secure Boot", None if runs else "the toolchain's programs are for Linux on x86-64")
    return RootFolder(Store(default_folder()), Ui())


@pytest.fixture(scope="session")
def program(smoke_template: Project) -> Path:
    """BOOTX64.EFI as the graph makes it."""
    return smoke_template.folder / "build/smoke/BOOTX64.EFI"


@pytest.fixture(scope="session")
def signed(tmp_path_factory: pytest.TempPathFactory, roots: RootFolder, program: Path) -> Path:
    """The same, signed."""
    return sign(roots, program, tmp_path_factory.mktemp("signed"))


def sign(roots: RootFolder, program: Path, folder: Path) -> Path:
    """A program that the firmware of these tests trusts."""
    key, certificate, passphrase = snakeoil(folder)
    sign_efi(roots, program, folder / "BOOTX64.EFI", load_key(key, passphrase), certificate)
    return folder / "BOOTX64.EFI"


@pytest.fixture
def image(tmp_path: Path) -> Callable[..., Path]:
    """`image(program)`: a disk that starts it; with other files where they are named."""

    def make(program: Path, *beside: tuple[str, Path]) -> Path:
        make_image(tmp_path / "disk.img", program, *beside)
        return tmp_path / "disk.img"

    return make
