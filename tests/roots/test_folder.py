"""From a lock and a mirror to a root that is there, whole, unpacked once and never half."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.roots.archives import Handler, Made, Mirror, deb, file, root_of, special
from toolchain.errors import UserError
from toolchain.roots.folder import RootFolder
from toolchain.store import Store
from toolchain.ui import Ui


def tree_of(entries: dict[str, str | bytes | tuple[bytes] | None]) -> str:
    """The digest as tree.py describes it. None: a folder; text: a link; bytes: a file, in a tuple an executable."""
    total = hashlib.sha256(b"ingot tree 1\0")
    for path, what in sorted((os.fsencode(path), what) for path, what in entries.items()):
        if what is None:
            value = b"d\0"
        elif isinstance(what, str):
            value = b"l\0" + what.encode()
        else:
            content = what if isinstance(what, bytes) else what[0]
            value = (b"f\0" if isinstance(what, bytes) else b"x\0") + hashlib.sha256(content).digest()
        total.update(path + b"\0" + value + b"\0")
    return total.hexdigest()


# What `small` must become: modes normalised, merged folders, /etc and /var left out, no link to /….
GOLDEN = tree_of({
    "bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64",
    "usr": None, "usr/bin": None, "usr/sbin": None, "usr/lib": None, "usr/lib64": None,
    "usr/bin/bash": (b"#!",), "usr/bin/rbash": "bash", "usr/bin/sh": "bash",
    "usr/lib64/ld.so": "../lib/x/ld.so",
    "usr/lib/x": None, "usr/lib/x/ld.so": (b"loader",), "usr/lib/x/same": (b"loader",),
    "usr/lib/ssl": None, "usr/lib/ssl/certs": "../../../etc/ssl/certs",
    "usr/share": None, "usr/share/é\n.txt": b"",
    "usr/share/doc": None, "usr/share/doc/bash": None, "usr/share/doc/bash/README": b"content",
})

RUN = """
import signal, sys
from pathlib import Path
from toolchain.errors import UserError
from toolchain.roots.folder import RootFolder
from toolchain.store import Store
from toolchain.ui import Ui
def stop(number, frame):
    raise SystemExit(128 + number)
signal.signal(signal.SIGTERM, stop)
try:
    print(RootFolder(Store(Path(sys.argv[1])), Ui(), Path(sys.argv[2])).ensure("cc").path)
except UserError as error:
    print(error)
    raise SystemExit(1)
"""


def start(root: Path, store: Store, made: Made, before: str = "") -> subprocess.Popen[str]:
    """`ensure("cc")` in a process of its own, which ends as ./doit does on SIGTERM."""
    return subprocess.Popen([sys.executable, "-c", before + RUN, str(store.folder), str(made.locks)], text=True,
                            env={**os.environ, "PYTHONPATH": str(root)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def nothing_left(store: Store) -> None:
    """No root, and nothing that is not finished."""
    assert not list(store.folder.glob("roots/*"))
    assert not list(store.folder.glob("tmp/*"))


@pytest.fixture
def served(small: Made, mirror: Callable[[], Mirror]) -> Mirror:
    """A mirror that has the small root's packages; its lock is written."""
    small.write(GOLDEN)
    one = mirror()
    one.pool.update(small.debs)
    return one


def test_the_tree_is_the_golden_one(served: Mirror, roots: RootFolder, store: Store) -> None:
    root = roots.ensure("cc")
    assert root.path == store.folder / "roots" / GOLDEN / "root" and root.tree == GOLDEN
    assert sorted(os.listdir(root.path)) == ["bin", "lib", "lib64", "sbin", "usr"]
    assert (root.path / "bin/sh").read_bytes() == b"#!"
    for path in root.path.rglob("*"):
        mode = path.lstat().st_mode & 0o7777
        assert path.is_symlink() or mode == (0o755 if path.is_dir() else 0o444 | mode & 0o111)
    assert (root.path / "usr/bin/bash").stat().st_mode & 0o7777 == 0o555
    assert not list(store.folder.glob("tmp/*"))
    for package in roots.lock("cc").packages:
        assert store.blob(package.sha256).exists()


def test_the_umask_does_not_matter(served: Mirror, roots: RootFolder) -> None:
    before = os.umask(0o077)
    try:
        path = roots.ensure("cc").path
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == (path / "usr/lib").stat().st_mode & 0o777 == 0o755


def test_what_is_there_is_not_fetched_again(served: Mirror, roots: RootFolder, small: Made) -> None:
    first = roots.ensure("cc")
    served.close()
    assert roots.ensure("cc") == first
    assert roots.look("cc") == first
    shutil.rmtree(first.path.parent)
    assert roots.look("cc") is None
    assert roots.ensure("cc") == first  # from the packages in the store
    assert len(served.asked) == len(small.debs)


def test_a_tree_that_the_lock_does_not_name(served: Mirror, roots: RootFolder, small: Made, store: Store) -> None:
    small.write("e" * 64)
    with pytest.raises(UserError, match=f"root cc: the tree is {GOLDEN}, the lock says e") as caught:
        roots.ensure("cc")
    assert "./doit lock cc" in caught.value.hint
    nothing_left(store)


@pytest.mark.parametrize("damage", ["byte", "mode", "gone", "new", "link"])
def test_check_mends_a_damaged_tree(damage: str, served: Mirror, roots: RootFolder) -> None:
    path = roots.ensure("cc").path
    target = path / "usr/lib/x/ld.so"
    if damage == "byte":
        target.chmod(0o755)
        target.write_bytes(b"loadeR")
        target.chmod(0o555)
    elif damage == "mode":
        target.chmod(0o444)
    elif damage == "gone":
        target.unlink()
    elif damage == "new":
        (path / "usr/new").touch()
    else:
        (path / "usr/bin/sh").unlink()
        (path / "usr/bin/sh").symlink_to("dash")
    asked = len(served.asked)
    from toolchain.roots.tree import digest

    assert digest(path) != GOLDEN
    assert roots.check("cc").path == path
    assert digest(path) == GOLDEN
    assert len(served.asked) == asked
    assert not list(roots.store.folder.glob("tmp/*"))


def test_a_whole_tree_is_left_as_it_is(served: Mirror, roots: RootFolder) -> None:
    inode = roots.ensure("cc").path.stat().st_ino
    assert roots.check("cc").path.stat().st_ino == inode


def test_a_tree_in_use_is_not_taken_away(served: Mirror, roots: RootFolder) -> None:
    """./doit lock gives the same tree again while a build runs in it."""
    path = roots.ensure("cc").path
    before = path.stat().st_ino
    assert roots.place(roots.lock("cc")) == roots.lock("cc").tree
    assert path.stat().st_ino == before


def test_another_store_was_quicker(served: Mirror, roots: RootFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two stores that share the folder of roots, whose locks are not each other's: one tree, and no error."""
    lock = roots.lock("cc")
    place = roots.store.folder / "roots" / lock.tree

    def settle(work: Path) -> None:
        shutil.copytree(work / "new", place, symlinks=True)

    monkeypatch.setattr("toolchain.roots.folder._settle", settle)
    assert roots.place(lock) == lock.tree and (place / "root").is_dir()
    assert not list(roots.store.folder.glob("tmp/*"))


def test_a_rotten_package_in_the_store_is_fetched_again(served: Mirror, roots: RootFolder, store: Store) -> None:
    root = roots.ensure("cc")
    blob = store.blob(roots.lock("cc").packages[0].sha256)
    blob.chmod(0o644)
    blob.write_bytes(b"rot")
    shutil.rmtree(root.path.parent)
    asked = len(served.asked)
    assert roots.ensure("cc") == root
    assert len(served.asked) == asked + 1


# -- mirrors --


def other(made: Made) -> str:
    """The path of one package of the root."""
    return made.lock.packages[0].path


def failing(roots: RootFolder) -> UserError:
    with pytest.raises(UserError) as caught:
        roots.ensure("cc")
    nothing_left(roots.store)
    assert "\n" not in caught.value.what and caught.value.hint
    return caught.value


def test_a_package_that_the_mirror_no_longer_has(served: Mirror, roots: RootFolder, small: Made) -> None:
    del served.pool[other(small)]
    error = failing(roots)
    assert "root cc: cannot fetch libs 1:1.0+b1~x: " in error.what and "HTTP 404" in error.what
    assert "DEBIAN_MIRROR" in error.hint and "import=FILE" in error.hint


def test_a_package_with_other_bytes(served: Mirror, roots: RootFolder, small: Made) -> None:
    served.pool[other(small)] = bytes(len(served.pool[other(small)]))
    error = failing(roots)
    assert "cannot fetch libs 1:1.0+b1~x" in error.what and "sha256 is" in error.what


def test_the_next_mirror_is_asked(served: Mirror, roots: RootFolder, small: Made, mirror: Callable[[], Mirror]) -> None:
    served.pool.clear()
    second = mirror()
    second.pool.update(small.debs)
    assert roots.ensure("cc").tree == GOLDEN
    assert len(second.asked) == 2


def test_a_mirror_that_has_failed_is_asked_last(
    tmp_path: Path, store: Store, mirror: Callable[[], Mirror]
) -> None:
    """Else a dead one would cost its waiting time for each of a hundred packages."""
    made = root_of(tmp_path / "locks", {f"p{n:02}": deb(file(f"usr/{n}")) for n in range(20)})
    empty, full = mirror(), mirror()
    full.pool.update(made.debs)
    roots = RootFolder(store, Ui(), made.locks)
    roots.fetch(made.lock)
    assert len(full.asked) == 20
    assert len(empty.asked) <= 4  # as many as were under way at once


def test_all_mirrors_are_named_with_their_reasons(
    served: Mirror, roots: RootFolder, small: Made, mirror: Callable[[], Mirror]
) -> None:
    served.pool.clear()
    second = mirror()
    error = failing(roots)
    assert served.url in error.what and second.url in error.what


def test_a_cut_connection_is_resumed(tmp_path: Path, store: Store, mirror: Callable[[], Mirror]) -> None:
    made = root_of(tmp_path / "locks", {"big": deb(file("usr/big", os.urandom(700_000)))})
    content = made.debs[other(made)]
    starts: list[int] = []

    def cut(handler: Handler) -> None:
        start = handler.start()
        starts.append(start)
        headers = {"ETag": '"1"'}
        if start:
            headers["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.send(206 if start else 200, content[start : start + 300_000], len(content) - start, **headers)

    mirror().replies[other(made)] = cut
    RootFolder(store, Ui(), made.locks).fetch(made.lock)
    assert store.verified(made.lock.packages[0].sha256).read_bytes() == content
    assert starts[0] == 0 < starts[1] < starts[2]


def test_one_failure_ends_the_others(tmp_path: Path, store: Store, mirror: Callable[[], Mirror]) -> None:
    """A package that is gone is told of at once, not when the hundred others have come."""
    made = root_of(tmp_path / "locks", {f"p{n:02}": deb(file(f"usr/{n}", b"x" * n)) for n in range(40)})
    server = mirror()
    with pytest.raises(UserError, match="cannot fetch p"):
        RootFolder(store, Ui(), made.locks).fetch(made.lock)
    assert len(server.asked) <= 8


def test_without_any_mirror(served: Mirror, roots: RootFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolchain.roots.mirrors.configured", lambda apt: [])
    monkeypatch.delenv("DEBIAN_MIRROR")
    assert "no Debian mirror is known" in failing(roots).what


# -- packages that are bad although the lock names them --


@pytest.mark.parametrize("content, reason", [
    (deb(special("usr/dev")), "'usr/dev' is neither file nor folder nor link"),
    (deb(file("../../x")), "'../../x' leaves the tree"),
    (b"!<arch>\nno", "it holds no files"),
], ids=["device", "way out", "no package"])
def test_a_bad_package_is_named(
    content: bytes, reason: str, tmp_path: Path, store: Store, mirror: Callable[[], Mirror]
) -> None:
    made = root_of(tmp_path / "locks", {"good": deb(file("usr/a")), "bad": content})
    made.write(GOLDEN)
    mirror().pool.update(made.debs)
    error = failing(RootFolder(store, Ui(), made.locks))
    assert f"root cc: bad 1:1.0+b1~x: {reason}" in error.what


def test_two_packages_with_one_file(tmp_path: Path, store: Store, mirror: Callable[[], Mirror]) -> None:
    made = root_of(tmp_path / "locks", {"a": deb(file("bin/x")), "b": deb(file("usr/bin/x"))})
    made.write(GOLDEN)
    mirror().pool.update(made.debs)
    assert "'usr/bin/x' is there twice" in failing(RootFolder(store, Ui(), made.locks)).what


def test_a_declared_link_that_a_package_brings(small: Made, mirror: Callable[[], Mirror], roots: RootFolder) -> None:
    replace(small, lock=replace(small.lock, links=(("usr/bin/bash", "dash"),))).write(GOLDEN)
    mirror().pool.update(small.debs)
    error = failing(roots)
    assert "usr/bin/bash" in error.what and "packages.yaml" in error.hint


# -- processes --


def test_two_at_once_unpack_once(served: Mirror, small: Made, store: Store, root: Path) -> None:
    both = [start(root, store, small) for _ in range(2)]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert said[0][0] == said[1][0] != ""
    assert sorted(served.asked) == sorted(small.debs)
    assert "".join(err for _, err in said).count("unpacked") == 1
    assert not list(store.folder.glob("tmp/*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_download_leaves_nothing(
    number: signal.Signals, served: Mirror, small: Made, store: Store, root: Path
) -> None:
    content, held = served.pool[other(small)], threading.Event()

    def stalls(handler: Handler) -> None:
        handler.send(200, content[:100], len(content))
        held.wait(30)

    served.replies[other(small)] = stalls
    process = start(root, store, small)
    while other(small) not in served.asked:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate(timeout=30)
    held.set()
    assert process.returncode != 0
    nothing_left(store)


SLOW = """
import os, time, toolchain.roots.tree as tree
true = tree._write
def write(handle, piece):
    true(handle, piece)
    os.write(1, b"writing\\n")
    time.sleep(0.2)
tree._write = write
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_interrupted_while_unpacking(
    number: signal.Signals, served: Mirror, small: Made, store: Store, root: Path, roots: RootFolder
) -> None:
    process = start(root, store, small, SLOW)
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    process.send_signal(number)
    process.communicate(timeout=30)
    assert not list(store.folder.glob("roots/*"))
    if number == signal.SIGTERM:
        nothing_left(store)
    assert roots.ensure("cc").tree == GOLDEN  # what a killed process has left is in nobody's way
    assert not list(store.folder.glob("tmp/*"))


LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"


@pytest.mark.parametrize("content", [os.urandom(400_000), bytes(400_000)], ids=["download", "unpack"])
def test_a_disk_that_fills_up(
    content: bytes, tmp_path: Path, store: Store, root: Path, mirror: Callable[[], Mirror]
) -> None:
    """The limit on file sizes makes write() fail halfway, as a full disk does."""
    made = root_of(tmp_path / "locks", {"big": deb(file("usr/big", content))})
    made.write(GOLDEN)
    mirror().pool.update(made.debs)
    process = start(root, store, made, LIMIT)
    said, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "no space left on the disk" in said and "root cc" in said and "hint: " in said
    nothing_left(store)


# -- locks --


def test_a_root_without_a_lock(roots: RootFolder) -> None:
    with pytest.raises(UserError, match="the toolchain root dev has no lock") as caught:
        roots.identity("dev")
    assert caught.value.hint == "./doit lock dev"


@pytest.mark.parametrize("name", ["../cc", "", "CC", "a/b", "a" * 40])
def test_a_name_that_is_none(name: str, roots: RootFolder) -> None:
    with pytest.raises(UserError, match="cannot be the name"):
        roots.identity(name)


def test_the_lock_of_another_root(served: Mirror, roots: RootFolder, small: Made) -> None:
    (small.locks / "cc.lock").rename(small.locks / "vm.lock")
    with pytest.raises(UserError, match="is the lock of the root cc"):
        roots.ensure("vm")


def test_the_lock_is_read_once(served: Mirror, roots: RootFolder, small: Made) -> None:
    """What a key holds and what is unpacked are of one state of the file."""
    before = roots.identity("cc")
    small.write("e" * 64)
    assert roots.identity("cc") == before
    assert roots.ensure("cc").tree == GOLDEN


def test_identity_needs_no_mirror_and_no_store(served: Mirror, small: Made, tmp_path: Path) -> None:
    data = (small.locks / "cc.lock").read_bytes()
    roots = RootFolder(Store(tmp_path / "nowhere"), Ui(), small.locks)
    assert roots.identity("cc") == "cc:" + hashlib.sha256(data).hexdigest()
    assert not (tmp_path / "nowhere").exists() and served.asked == []
