"""What is the sandbox's own: where bubblewrap comes from, and what is remembered of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.executors.conftest import Bench, needs
from toolchain.errors import UserError
from toolchain.executors.choose import sandbox_trouble
from toolchain.executors.sandbox import Sandbox, trouble, trouble_now
from toolchain.roots import Roots


@pytest.fixture
def sandbox(cc: Roots, tmp_path: Path) -> Bench:
    needs("sandbox", sandbox_trouble(tmp_path))
    return Bench(Sandbox(cc, tmp_path / "store"), tmp_path)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is all of PATH."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def refuse(path: Path) -> None:
    """A bwrap that is refused a user namespace."""
    (path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n")
    (path / "bwrap").chmod(0o755)


def test_the_roots_own_bubblewrap(sandbox: Bench, path: Path) -> None:
    assert sandbox.sh("echo fine") == ["fine"]
    assert trouble_now() is None


def test_refused_at_once(path: Path, tmp_path: Path) -> None:
    refuse(path)
    assert trouble(tmp_path) == "no user namespace: bwrap: No permissions to create a new namespace"
    assert not (tmp_path / "sandbox.json").exists()


def test_refused_after_it_had_worked(sandbox: Bench, path: Path, tmp_path: Path) -> None:
    """A kernel's setting was changed: the error comes once, then another executor is taken."""
    (path / "bwrap").write_text(f"#!/bin/sh\nPATH={os.defpath}:/usr/bin exec /usr/bin/env bwrap \"$@\"\n"
                                if Path("/usr/bin/bwrap").exists() else "#!/bin/sh\nexit 0\n")
    (path / "bwrap").chmod(0o755)
    store = tmp_path / "store"
    assert trouble(store) is None and (store / "sandbox.json").exists()
    refuse(path)
    assert trouble(store) is None and trouble_now() is not None
    with pytest.raises(UserError, match="the sandbox cannot be made: bwrap: No permissions") as caught:
        sandbox.run(sandbox.job("true"))
    assert "run the same command again" in caught.value.hint
    assert trouble(store) is not None


def test_the_probe_is_no_false_hope(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a bwrap of this machine the kernel is asked, and its word is passed on."""
    monkeypatch.setattr("toolchain.executors.sandbox._PROBE", "import sys; sys.exit('Operation not permitted')")
    assert trouble_now() == "no user namespace: Operation not permitted"
