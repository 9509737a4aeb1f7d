"""On real block devices: loop devices on files of the test. That one is a USB stick is what each test makes up."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import pty
import select
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from tests.executors.conftest import needs
from tests.flash.conftest import ours
from tests.flash.test_source import publish
from tests.project import Project
from toolchain.errors import UserError
from toolchain.flash import device, job, sysfs
from toolchain.flash.facts import Facts, Places
from toolchain.flash.source import Source, built, released
from toolchain.flash.write import BACKUP
from toolchain.ui import Ui


def as_stick(loop: Path) -> Callable[[], Facts]:
    """This machine's facts, of which one is a lie."""

    def look() -> Facts:
        facts = sysfs.look(Places(), Path("/"))
        disks = [sysfs.with_content(replace(disk, kind="disk", transport="usb", removable=True, model="Lie"), Places())
                 for disk in facts.disks if disk.name == loop.name]
        return Facts(tuple(disks), facts.trouble)

    return look


def number(loop: Path) -> str:
    status = os.stat(loop)
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"


@pytest.fixture
def image(smoke: Project) -> Source:
    return built(smoke.folder, "smoke")


def kernel_knows_gpt() -> bool:
    try:
        return b"# CONFIG_EFI_PARTITION is not set" not in gzip.decompress(Path("/proc/config.gz").read_bytes())
    except OSError:
        return True


def answer(text: str) -> Callable[[str], str]:
    return lambda question: text


def flash(loop: Path, image: Source, tmp_path: Path, text: str | None = None, **more: object) -> None:
    job.flash(as_stick(ours(loop, tmp_path)), number(loop), image, answer(loop.name if text is None else text), Ui(),
              **more)  # type: ignore[arg-type]


def test_an_image_lands_on_the_device(loop: Path, image: Source, tmp_path: Path,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    flash(loop, image, tmp_path)
    data = (tmp_path / "backing").read_bytes()
    assert data[:image.size] == image.path.read_bytes()
    assert set(data[image.size:-BACKUP]) == {0xA5} and set(data[-BACKUP:]) == {0}
    assert Path(f"/sys/block/{loop.name}/{loop.name}p1").exists() or not kernel_knows_gpt()
    told = capsys.readouterr().err
    assert "model unknown" not in told and "Lie" in told and image.sha256 in told
    assert f"{loop} holds the image" in told and "read back from the disk and compared" in told
    assert "it can be pulled out" in told


def test_a_release_is_unpacked_onto_the_device(loop: Path, image: Source, tmp_path: Path) -> None:
    packed = zstandard.ZstdCompressor(3).compress(image.path.read_bytes())
    flash(loop, released(publish(tmp_path, packed, image.sha256)), tmp_path)
    with (tmp_path / "backing").open("rb") as file:
        assert hashlib.sha256(file.read(image.size)).hexdigest() == image.sha256


def test_a_damaged_release_never_reaches_the_device(loop: Path, image: Source, tmp_path: Path) -> None:
    packed = zstandard.ZstdCompressor(3).compress(image.path.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="is not the image that .* speaks of"):
        flash(loop, released(publish(tmp_path, packed, image.sha256)), tmp_path)
    assert set((tmp_path / "backing").read_bytes()) == {0xA5}


@pytest.mark.parametrize("text", ["", "y", "yes", "sda", "/dev"])
def test_only_its_name_will_do(loop: Path, image: Source, tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match="was not written: its name was not typed"):
        flash(loop, image, tmp_path, text)
    assert set((tmp_path / "backing").read_bytes()) == {0xA5}


def test_what_is_mounted_is_refused(loop: Path, image: Source, tmp_path: Path) -> None:
    needs("mkfs.ext4", None if shutil.which("mkfs.ext4") else "it is not on PATH")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-L", "PRECIOUS", str(loop)], check=True)
    point = tmp_path / "point"
    point.mkdir()
    mounted = subprocess.run(["mount", "-o", "ro", loop, point], capture_output=True, text=True, check=False)
    needs("mount", None if mounted.returncode == 0 else mounted.stderr)
    try:
        with pytest.raises(UserError, match=f"{loop.name} is mounted at {point}"):
            flash(loop, image, tmp_path)
        with pytest.raises(UserError, match="is in use: the kernel says so"), device.claim(loop):
            pass
    finally:
        subprocess.run(["umount", str(point)], check=True)
    disk = as_stick(loop)().disk(number(loop))
    assert disk is not None and job.contents(disk) == 'ext4 "PRECIOUS"'


def test_what_a_program_has_open_under_another_name(loop: Path, image: Source, tmp_path: Path) -> None:
    node = tmp_path / "node"
    os.mknod(node, 0o600 | stat.S_IFBLK, os.stat(loop).st_rdev)
    with node.open("rb") as file, subprocess.Popen(["sleep", "60"], stdin=file) as holder:
        try:
            with pytest.raises(UserError, match=f"{loop.name} is open in process {holder.pid} "):
                flash(loop, image, tmp_path)
        finally:
            holder.kill()
    assert set((tmp_path / "backing").read_bytes()) == {0xA5}


def test_what_becomes_busy_while_the_name_is_typed(loop: Path, image: Source, tmp_path: Path) -> None:
    """Two layers: the facts are read again, and the kernel is asked (O_EXCL)."""
    with device.claim(loop), pytest.raises(UserError, match="is in use: the kernel says so"):
        flash(loop, image, tmp_path)
    looks = []

    def look() -> Facts:
        facts = as_stick(loop)()
        looks.append(0)
        return facts if len(looks) == 1 else Facts(tuple(replace(disk, sequence="other") for disk in facts.disks))

    with pytest.raises(UserError, match="is not the disk any more that it was\nhint: nothing was written"):
        job.flash(look, number(loop), image, answer(loop.name), Ui())
    assert set((tmp_path / "backing").read_bytes()) == {0xA5}


class Lying(device.Device):
    """Says that it has written, and has not."""

    def __init__(self, handle: int) -> None:
        super().__init__(handle)
        true = self.write
        self.write = lambda data: len(data) if os.lseek(handle, 0, os.SEEK_CUR) == 8 << 20 else true(data)


class Interrupted(device.Device):
    """Ctrl-C while the third piece is written."""

    def __init__(self, handle: int) -> None:
        super().__init__(handle)
        true = self.write

        def write(data: bytes) -> int:
            if os.lseek(handle, 0, os.SEEK_CUR) >= 8 << 20 and len(data) > BACKUP:
                raise KeyboardInterrupt
            return true(data)

        self.write = write


def opening(kind: type[device.Device]) -> Callable[[Path], contextlib.AbstractContextManager[device.Device]]:
    @contextlib.contextmanager
    def claim(path: Path) -> Iterator[device.Device]:
        with device.claim(path) as target:
            yield kind(target.handle)

    return claim


def test_a_device_that_lies(loop: Path, image: Source, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gives back other bytes than were written to it; .* nothing on it can be used"):
        flash(loop, image, tmp_path, claim=opening(Lying))


def test_ctrl_c_in_the_middle(loop: Path, image: Source, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        flash(loop, image, tmp_path, claim=opening(Interrupted))
    assert f"{loop} was partly written: what was on it is lost" in capsys.readouterr().err
    data = (tmp_path / "backing").read_bytes()
    assert set(data[:4 << 20]) == {0}, "nothing that boots, no partition table"
    assert data[4 << 20:8 << 20] == image.path.read_bytes()[4 << 20:8 << 20]


# -- the command as a whole ----------------------------------------------------------------------------------


def at_terminal(project: Project, *words: str) -> tuple[int, str]:
    """`./doit WORDS…` at a terminal of its own at which nobody types anything."""
    ours_, theirs = pty.openpty()
    run = subprocess.Popen([sys.executable, "-m", "toolchain", *words], cwd=project.folder, env=project.env,
                           stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown, end = b"", time.monotonic() + 60
    try:
        while time.monotonic() < end and select.select([ours_], [], [], 1)[0] or run.poll() is None:
            try:
                shown += os.read(ours_, 4096) if select.select([ours_], [], [], 0)[0] else b""
            except OSError:  # the other side has closed
                break
        return run.wait(10), shown.decode(errors="replace")
    finally:
        run.kill()
        run.wait()
        os.close(ours_)


def test_the_command_refuses_a_loop_device(loop: Path, smoke: Project, tmp_path: Path) -> None:
    status, shown = at_terminal(smoke, "flash", f"device={loop}", "image=smoke")
    assert status == 1 and f"error: {loop} is a loop device, not a removable disk" in shown
    assert "type the name" not in shown
    assert set((tmp_path / "backing").read_bytes()) == {0xA5}


def test_the_command_refuses_the_system_disk(smoke: Project) -> None:
    found = os.stat("/").st_dev
    folder = Path(f"/sys/dev/block/{os.major(found)}:{os.minor(found)}")
    needs("a disk under /", None if folder.exists() else "/ lies on none that sysfs knows")
    folder = folder.resolve()
    disk = folder.parent.name if (folder / "partition").exists() else folder.name
    status, shown = at_terminal(smoke, "flash", f"device=/dev/{disk}", "image=smoke")
    assert status == 1 and f"/dev/{disk} is the disk of this running system: it holds /" in shown
    assert "type the name" not in shown


def test_the_command_lists(smoke: Project) -> None:
    done = smoke.doit("flash")
    assert "error:" not in done.stderr and ("there is no removable disk" in done.stdout or "/dev/" in done.stdout)
    done = smoke.doit("flash", "image=smoke", status=1)  # who names an image wants it written
    assert "device= is missing: nothing was written" in done.stderr


def test_the_command_refuses_what_is_no_disk(smoke: Project) -> None:
    for words, says in ((["device=/dev/null"], "is no disk of this machine"), (["device="], "is no disk"),
                        (["devise=/dev/sdb"], "did you mean device="), (["/dev/sdb"], "takes no word")):
        assert says in smoke.doit("flash", *words, status=None).stderr


def test_nothing_is_scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    with pytest.raises(UserError, match="must be typed at a terminal"):
        job.from_terminal("?")
