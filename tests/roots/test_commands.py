"""`./doit toolchain` and `./doit lock`, as a user types them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.project import Project
from toolchain.roots import lockfile


def tree(project: Project, name: str) -> str:
    path = project.folder / "toolchain" / f"{name}.lock"
    return lockfile.decode(lockfile.read(path), name).tree


def test_a_line_a_root(project: Project) -> None:
    done = project.doit("toolchain", "cc")
    assert done.stdout.startswith("cc   ") and done.stdout.count("\n") == 1
    assert " packages, " in done.stdout and tree(project, "cc")[:12] in done.stdout
    assert done.stderr == ""


def test_cc_and_vm_unless_others_are_named(project: Project) -> None:
    assert [line.split()[0] for line in project.doit("toolchain").stdout.splitlines()] == ["cc", "vm"]


@pytest.mark.parametrize("words, said", [
    (("toolchain", "gpu"), "there is no toolchain root gpu"),
    (("lock", "gpu"), "there is no toolchain root gpu"),
    (("lock", "image=smoke", "cc"), "either image= or toolchain roots"),
    (("toolchain", "import="), "import= names no file"),
    (("toolchain", "import=none.tar"), "none.tar does not exist"),
])
def test_mistakes(words: tuple[str, ...], said: str, project: Project) -> None:
    done = project.doit(*words, status=1)
    assert said in done.stderr and "hint: " in done.stderr and done.stdout == ""


def test_a_lock_that_packages_yaml_has_outrun(project: Project) -> None:
    project.edit("toolchain/packages.yaml", "[gcc, ", "[gcc, jq, ")
    assert "./doit lock cc" in project.doit("toolchain", "cc").stderr


def test_files_are_named_from_where_the_user_is(project: Project, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    env = {"INGOT_CALLED_FROM": str(tmp_path / "here"), "DEBIAN_MIRROR": "http://127.0.0.1:1/none"}
    (project.folder / "none.tar").touch()
    assert "here/none.tar does not exist" in project.doit("toolchain", "import=none.tar", env=env, status=1).stderr


def test_no_mirror_is_named(root: Path) -> None:
    """The project holds no mirror's name: locks hold paths, the machine knows the host."""
    for path in [*(root / "toolchain").glob("*.lock"), root / "toolchain/packages.yaml"]:
        assert "://" not in path.read_text()
    for path in (root / "toolchain/roots").glob("*.py"):
        assert "debian.org" not in path.read_text()


def test_the_wheel_ships_the_locks(root: Path) -> None:
    """The plugin in another project knows its roots."""
    tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
    setup = tomllib.loads((root / "pyproject.toml").read_text())
    patterns = setup["tool"]["setuptools"]["package-data"]["toolchain"]
    shipped = {path.name for pattern in patterns for path in (root / "toolchain").glob(pattern)}
    assert shipped == {"packages.yaml", "cc.lock", "vm.lock", "dev.lock", "ml.lock"}
    for table in (setup["project"]["entry-points"]["doit.COMMAND"], setup["tool"]["doit"]["plugins"]["command"]):
        assert {"toolchain", "lock"} <= set(table)
