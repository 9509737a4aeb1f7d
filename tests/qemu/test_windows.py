"""doit.cmd's decisions and paths, on any system."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.executors.conftest import needs
from tests.qemu.conftest import ROOT
from toolchain.executors.choose import docker_trouble
from toolchain.roots.folder import RootFolder
from toolchain.store import Store, default_folder
from toolchain.ui import Ui
from toolchain.windows import (
    DOCKER_IMAGE,
    DOCKER_RIGHTS,
    PathError,
    docker_command,
    plan,
    to_windows,
    to_wsl,
    wsl_command,
    wsl_distribution,
)


@pytest.mark.parametrize(("windows", "wsl"), [
    (r"C:\Users\Me\my models\a.gguf", "/mnt/c/Users/Me/my models/a.gguf"),
    ("d:/x/y", "/mnt/d/x/y"),
    ("C:\\", "/mnt/c"),
    ("C:", "/mnt/c"),
    (r"\\?\C:\very\long", "/mnt/c/very/long"),
    (r"\\wsl$\Debian\home\me\ingot", "/home/me/ingot"),
    (r"\\wsl.localhost\Ubuntu-24.04\home\me", "/home/me"),
    (r"\\?\UNC\wsl$\Debian\tmp", "/tmp"),
    (r"\\wsl$\Debian", "/"),
    (r"..\data\x.txt", "../data/x.txt"),
    ("plain.txt", "plain.txt"),
    ("/mnt/c/already", "/mnt/c/already"),
    (r"C:\ünï cødé\文", "/mnt/c/ünï cødé/文"),
])
def test_to_wsl(windows: str, wsl: str) -> None:
    assert to_wsl(windows) == wsl


@pytest.mark.parametrize("path", [r"\\server\share\x", "//server/share/x", "C:relative", r"\rooted"])
def test_paths_that_wsl_cannot_see(path: str) -> None:
    with pytest.raises(PathError, match=";|has no drive"):
        to_wsl(path)


@pytest.mark.parametrize(("wsl", "windows"), [
    ("/mnt/c/Users/Me/a b", r"C:\Users\Me\a b"), ("/mnt/d", "D:\\"), ("a/b", r"a\b"),
    ("/home/me", r"\\wsl.localhost\Debian\home\me"), ("/mnt/cd/x", r"\\wsl.localhost\Debian\mnt\cd\x")])
def test_to_windows(wsl: str, windows: str) -> None:
    assert to_windows(wsl, "Debian") == windows


@pytest.mark.parametrize("path", [r"C:\a b\c", "D:\\", r"a\b", r"\\wsl.localhost\Debian\home\me"])
def test_there_and_back(path: str) -> None:
    assert to_windows(to_wsl(path), "Debian") == path


def test_paths_without_a_distribution() -> None:
    with pytest.raises(PathError):
        to_windows("/home/me")
    assert wsl_distribution(r"\\wsl$\Debian\x") == "Debian" and wsl_distribution(r"C:\x") is None


def test_plans() -> None:
    def how(*argv: str, finished: bool = True, wsl: bool = True, docker: bool = True) -> str:
        return plan(argv, finished=finished, wsl=wsl, docker=docker).how

    assert how("boot") == how("boot", "image=smoke", "prompt=a=b") == how("image=x", "boot", wsl=False) == "native"
    assert how("boot", finished=False) == how() == how("test") == how("boot", "model=x.gguf") == "wsl"
    assert how("image=x", wsl=False) == how("boot", finished=False, wsl=False) == "docker"
    assert plan(["boot", "image=smoke"], finished=True, wsl=False, docker=False).image == "smoke"
    with pytest.raises(PathError, match="image tales is not built, and building needs WSL2 or Docker"):
        how("boot", finished=False, wsl=False, docker=False)


def test_wsl_command() -> None:
    words = ["image=x", r"data_dir=..\my data", r"model=C:\m.gguf,n.gguf", "prompt=C:\\ is not a path here", "-n", "2"]
    assert wsl_command(r"C:\src\my ingot", words, r"C:\src") == [
        "wsl.exe", "--cd", "/mnt/c/src/my ingot", "--exec", "./doit", "image=x", "data_dir=/mnt/c/src/../my data",
        "model=/mnt/c/m.gguf,/mnt/c/src/n.gguf", "prompt=C:\\ is not a path here", "-n", "2"]
    assert wsl_command(r"\\wsl$\Debian\home\me", ["test"], r"C:\x")[:5] == [
        "wsl.exe", "-d", "Debian", "--cd", "/home/me"]
    with pytest.raises(PathError):
        wsl_command(r"\\server\share", [], "C:\\")


def test_docker_command() -> None:
    argv = docker_command(r"C:\src\my ingot", ["image=x", r"data_dir=data\here"], terminal=True)
    assert argv == ["docker", "run", "--rm", "-it", "--security-opt", "seccomp=unconfined", "--security-opt",
                    "systempaths=unconfined", "--mount", "type=volume,source=ingot-cache,target=/root/.cache",
                    "--mount", r"type=bind,source=C:\src\my ingot,target=/work",
                    "--workdir", "/work", DOCKER_IMAGE, "./doit", "image=x", "data_dir=data/here"]
    for root, words in ((r"\\server\x", []), ("C:\\x", [r"data_dir=D:\y"])):
        with pytest.raises(PathError):
            docker_command(root, words, terminal=False)


@pytest.mark.docker
def test_a_sandbox_can_be_made_in_that_container() -> None:
    """bubblewrap from the toolchain root, as ./doit starts it there, on a system that is the root's /usr."""
    needs("docker", docker_trouble() or (None if shutil.which("docker") else "docker is not on PATH"))
    root = RootFolder(Store(default_folder()), Ui()).ensure("cc").path
    system = io.BytesIO()
    with tarfile.open(fileobj=system, mode="w") as tar:
        for name in ("usr", "tmp", "lib64"):
            member = tarfile.TarInfo(name)
            member.mode = 0o777
            member.type, member.linkname = (tarfile.SYMTYPE, "usr/lib64") if name == "lib64" else (tarfile.DIRTYPE, "")
            tar.addfile(member)
    image = subprocess.run(["docker", "import", "-"], input=system.getvalue(), capture_output=True, check=True)
    name = image.stdout.decode().strip()
    libraries = "/usr/lib/x86_64-linux-gnu"
    bwrap = [f"{libraries}/ld-linux-x86-64.so.2", "--library-path", libraries, "/usr/bin/bwrap", "--unshare-all",
             "--uid", "1000", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib64", "/lib64", "--proc", "/proc",
             "--dev", "/dev", "--tmpfs", "/tmp", "--remount-ro", "/", "/usr/bin/id", "-u"]
    try:
        done = subprocess.run(["docker", "run", "--rm", *DOCKER_RIGHTS, "--network", "none", "--mount",
                               f"type=bind,source={root}/usr,target=/usr,readonly", name, *bwrap], capture_output=True,
                              text=True, timeout=60, check=False)
    finally:
        subprocess.run(["docker", "rmi", name], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1000\n"), done.stderr


def test_a_bare_python_runs_it(tmp_path: Path) -> None:
    """Without site-packages, from another folder; with neither WSL nor Docker it says what to install."""
    bare = {"PATH": "/nowhere", **{name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}}
    shown = subprocess.run([sys.executable, "-IS", str(ROOT / "toolchain" / "windows.py"), "image=none"], cwd=tmp_path,
                           env=bare, capture_output=True, text=True, check=False, timeout=30)
    assert shown.returncode == 1
    assert shown.stderr == ("error: this needs WSL2 or Docker\n"
                            "hint: install WSL2 (as administrator): wsl --install -d Debian\n")


def test_doit_cmd_is_a_windows_file_that_passes_every_word_on() -> None:
    data = (ROOT / "doit.cmd").read_bytes()
    assert data.count(b"\r\n") == data.count(b"\n") and data.isascii()
    calls = re.findall(rb'^\s*(?:py -3|python) "%~dp0toolchain\\windows.py" %\*\r$', data, re.M)
    assert len(calls) == 2
