"""A project may have roots of its own: they come before those that ingot brings, and are all that `lock` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.errors import UserError
from toolchain.roots import lockfile
from toolchain.roots.folder import LOCKS, RootFolder
from toolchain.roots.lockfile import Lock
from toolchain.roots.relock import relock
from toolchain.roots.wanted import read
from toolchain.store import Store
from toolchain.ui import Ui


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The project's folder, which is not there yet, and one that stands for ingot's: it locks cc and vm."""
    (tmp_path / "ingot").mkdir()
    for name in ("cc", "vm"):
        put(tmp_path / "ingot", name)
    (tmp_path / "ingot/packages.yaml").write_text("suite: x\nroots: {cc: {packages: [a]}, vm: {packages: [a]}}\n")
    return tmp_path / "own", tmp_path / "ingot"


def put(folder: Path, name: str, suite: str = "x") -> None:
    folder.mkdir(exist_ok=True)
    lock = Lock(name, suite, "0" * 64, ("a",), (), (), (), (), "1" * 64)
    (folder / f"{name}.lock").write_bytes(lockfile.encode(lock))


def roots(folders: tuple[Path, ...]) -> RootFolder:
    """As a new process sees them."""
    return RootFolder(Store(Path("/nowhere")), Ui(), *folders)


def test_ingots_own_where_the_project_has_none(folders: tuple[Path, Path]) -> None:
    assert roots(folders).lock_path("cc") == folders[1] / "cc.lock"
    assert roots(folders).names() == ["cc", "vm"]
    assert RootFolder(Store(Path("/nowhere")), Ui()).lock_path("cc") == LOCKS / "cc.lock"


def test_the_projects_come_first(folders: tuple[Path, Path]) -> None:
    before = roots(folders).identity("cc")
    put(folders[0], "cc", "y")
    put(folders[0], "rust")
    found = roots(folders)
    assert found.lock("cc").suite == "y" and found.identity("cc") != before
    assert found.lock("vm").suite == "x" and found.names() == ["cc", "rust", "vm"]


@pytest.mark.parametrize("text", [
    "suite: x\nroots: {cc: {packages: [a]}}\n", "suite: x\nroots:\n  'cc':\n    packages: [a]\n"])
def test_one_that_is_asked_for_needs_its_own_lock(text: str, folders: tuple[Path, Path]) -> None:
    folders[0].mkdir()
    (folders[0] / "packages.yaml").write_text(text)
    with pytest.raises(UserError, match=f"{folders[0]}/cc.lock does not exist") as caught:
        roots(folders).identity("cc")
    assert caught.value.hint == "./doit lock cc"
    assert roots(folders).lock("vm").suite == "x"
    put(folders[0], "cc", "y")
    assert roots(folders).lock("cc").suite == "y"


def test_a_word_in_packages_yaml_is_no_root(folders: tuple[Path, Path]) -> None:
    folders[0].mkdir()
    (folders[0] / "packages.yaml").write_text("# cc: comes with ingot\nsuite: x\nroots: {rust: {packages: [gcc]}}\n")
    assert roots(folders).lock("cc").suite == "x"


def test_a_root_that_nobody_has(folders: tuple[Path, Path]) -> None:
    with pytest.raises(UserError, match=f"the toolchain root gpu has no lock: {folders[0]}/gpu.lock"):
        roots(folders).lock("gpu")


def test_lock_needs_a_packages_yaml_of_the_project(folders: tuple[Path, Path], tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in folders[1].iterdir()}
    for names in ([], ["cc"]):
        with pytest.raises(UserError, match="no toolchain roots of its own") as caught:
            list(relock(names, roots(folders)))
    assert {path: path.read_bytes() for path in folders[1].iterdir()} == before and not folders[0].exists()
    # the hint shows one that can be used as it is
    example = tmp_path / "packages.yaml"
    example.write_text(caught.value.hint.partition("begin the file with: ")[2])
    want = read(example)["cc"]
    ours = read(LOCKS / "packages.yaml")["cc"]
    assert want.suite == ours.suite and set(want.packages) <= set(ours.packages)
    assert set(want.links) <= set(ours.links)


def test_the_lock_of_another_root(folders: tuple[Path, Path]) -> None:
    put(folders[0], "cc")
    (folders[0] / "cc.lock").rename(folders[0] / "rust.lock")
    with pytest.raises(UserError, match="is the lock of the root cc"):
        roots(folders).lock("rust")
    assert roots(folders).lock("cc").root == "cc"
