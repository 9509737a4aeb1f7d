"""doit.cmd's other half: on Windows a finished image boots natively, everything else is handed to WSL2 or Docker.

Runs on a bare Python (standard library only). What decides is pure and tested on any system.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_IMAGE = "tales"
DOCKER_IMAGE = "python:3.11-bookworm"  # all that ./doit needs of a Linux: a python3 with venv
# What Docker's defaults keep bubblewrap from, tried one by one: a user namespace (seccomp), and a /proc of its own
# in it (the masks over parts of the container's). More is not needed, nor is it given.
DOCKER_RIGHTS = ("--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined")
# The store and the toolchain roots outlive the container.
DOCKER_STORE = "type=volume,source=ingot-cache,target=/root/.cache"
VENV = ".venv.windows"  # .venv belongs to Linux: WSL uses the same checkout
# Variables that name files or folders of this machine.
PATH_VARIABLES = ("data_dir", "prompts", "ovmf", "model", "tokenizer", "export", "import", "from")
# With these a boot needs more than a finished image.
_BUILDS = ("model", "tokenizer", "toolchain", "data_dir")

_DRIVE = re.compile(r"([A-Za-z]):(?:[\\/](.*))?", re.S)
_UNC_WSL = re.compile(r"[\\/]{2}(?:wsl\$|wsl\.localhost)[\\/]([^\\/]+)(?:[\\/](.*))?", re.I | re.S)


class PathError(ValueError):
    """A path that the other side cannot see."""


@dataclass(frozen=True)
class Plan:
    """What to do: `native` boots, `wsl` and `docker` hand on."""

    how: str
    words: tuple[str, ...]
    image: str = DEFAULT_IMAGE


# -- paths --


def to_wsl(path: str) -> str:
    r"""C:\a b\c -> /mnt/c/a b/c; \\wsl$\Debian\home -> /home; relative paths keep their meaning. Raises PathError."""
    if path.startswith("\\\\?\\UNC\\"):
        path = "\\\\" + path[8:]
    elif path.startswith("\\\\?\\"):
        path = path[4:]
    inside = _UNC_WSL.fullmatch(path)
    if inside:
        return "/" + _slashes(inside[2] or "")
    drive = _DRIVE.fullmatch(path)
    if drive:
        return f"/mnt/{drive[1].lower()}" + ("/" + _slashes(drive[2]) if drive[2] else "")
    if path.startswith(("\\\\", "//")):
        raise PathError(f"{path}: a network share is not seen by WSL; give it a drive letter and mount that: "
                        "sudo mount -t drvfs Z: /mnt/z")
    if re.match(r"[A-Za-z]:", path):
        raise PathError(f"{path}: relative to a drive; write the whole path")
    if path.startswith("\\"):
        raise PathError(f"{path}: has no drive letter; write the whole path")
    return _slashes(path)


def to_windows(path: str, distribution: str = "") -> str:
    r"""/mnt/c/a/b -> C:\a\b; /home/me -> \\wsl.localhost\DISTRIBUTION\home\me. Raises PathError."""
    found = re.fullmatch(r"/mnt/([A-Za-z])(/.*)?", path, re.S)
    if found:
        return f"{found[1].upper()}:" + (found[2] or "/").replace("/", "\\")
    if path.startswith("/"):
        if not distribution:
            raise PathError(f"{path}: lies inside WSL, in a distribution that is not known")
        return f"\\\\wsl.localhost\\{distribution}" + path.replace("/", "\\")
    return path.replace("/", "\\")


def wsl_distribution(path: str) -> str | None:
    r"""The distribution in which \\wsl$\NAME\… lies, or None."""
    found = _UNC_WSL.fullmatch(path)
    return found[1] if found else None


def _slashes(path: str) -> str:
    return path.replace("\\", "/")


# -- decisions --


def plan(argv: Sequence[str], *, finished: bool, wsl: bool, docker: bool) -> Plan:
    """What to do with the words of the command line. `finished`: the image that they name has been built.

    Raises PathError where neither WSL2 nor Docker is there for what needs one.
    """
    words = tuple(argv)
    given = variables(words)
    image = given.get("image", DEFAULT_IMAGE)
    commands = [word for word in words if "=" not in word and not word.startswith("-")]
    boots = commands[:1] == ["boot"]
    if boots and finished and not any(name in given for name in _BUILDS):
        return Plan("native", words, image)
    if wsl:
        return Plan("wsl", words, image)
    if docker:
        return Plan("docker", words, image)
    need = f"the image {image} is not built, and building" if boots else "this"
    raise PathError(f"{need} needs WSL2 or Docker; install WSL2 (as administrator): wsl --install -d Debian")


def variables(words: Sequence[str]) -> dict[str, str]:
    """The `name=value` words."""
    return dict(word.split("=", 1) for word in words if "=" in word and not word.startswith("-"))


def wsl_command(root: str, words: Sequence[str], called_from: str) -> list[str]:
    """The argv that runs ./doit in WSL on the same checkout. Raises PathError."""
    distribution = wsl_distribution(root)
    chosen = ["-d", distribution] if distribution else []
    return ["wsl.exe", *chosen, "--cd", to_wsl(root), "--exec", "./doit",
            *(_translate(word, called_from) for word in words)]


def _translate(word: str, called_from: str) -> str:
    name, equals, value = word.partition("=")
    if not equals or name not in PATH_VARIABLES or not value:
        return word
    return f"{name}=" + ",".join(to_wsl(_absolute(one, called_from)) for one in value.split(","))


def _absolute(path: str, folder: str) -> str:
    if _DRIVE.fullmatch(path) or path.startswith(("\\", "/")):
        return path
    return folder.rstrip("\\/") + "\\" + path


def docker_command(root: str, words: Sequence[str], *, terminal: bool) -> list[str]:
    """The argv that runs ./doit in a container on the same checkout. Raises PathError."""
    for name, value in variables(words).items():
        if name in PATH_VARIABLES and (_DRIVE.fullmatch(value) or value.startswith("\\\\")):
            raise PathError(f"{name}={value}: the container sees this folder alone; "
                            "copy it here and name it relatively")
    if root.startswith(("\\\\", "//")):
        raise PathError(f"{root}: Docker cannot mount a network share; copy the checkout to a drive")
    words = [_slashes(word) if word.partition("=")[0] in PATH_VARIABLES else word for word in words]
    return ["docker", "run", "--rm", *(["-it"] if terminal else ["-i"]), *DOCKER_RIGHTS, "--mount", DOCKER_STORE,
            "--mount", f"type=bind,source={root},target=/work", "--workdir", "/work", DOCKER_IMAGE, "./doit", *words]


# -- the edge --


def main(argv: list[str]) -> int:
    """Runs what `plan` says; returns its exit status."""
    root = Path(__file__).resolve().parent.parent
    try:
        image = variables(argv).get("image", DEFAULT_IMAGE)
        file = root / "build" / image / f"{image}.img"
        chosen = plan(argv, finished=file.is_file(), wsl=_works("wsl.exe", "--status"), docker=_works("docker", "info"))
        if chosen.how == "wsl":
            return subprocess.call(wsl_command(str(root), argv, os.getcwd()), cwd=root)
        if chosen.how == "docker":
            return subprocess.call(docker_command(str(root), argv, terminal=sys.stdin.isatty()), cwd=root)
        words = [word for word in argv if word != "boot"]
        environ = {**os.environ, "INGOT_CALLED_FROM": os.getcwd()}
        return subprocess.call([_venv(root), "-m", "toolchain.qemu", str(file), *words], cwd=root, env=environ)
    except PathError as exc:
        what, _, hint = str(exc).partition("; ")
        print(f"error: {what}" + (f"\nhint: {hint}" if hint else ""), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _works(*command: str) -> bool:
    """Whether the program is there and content with itself."""
    if shutil.which(command[0]) is None:
        return False
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _venv(root: Path) -> str:
    """The Python of a virtual environment with the hash-locked requirements, made on first use as ./doit does."""
    python, marker = root / VENV / "Scripts" / "python.exe", root / VENV / "requirements.txt"
    wanted = (root / "requirements.txt").read_bytes()
    if not marker.is_file() or marker.read_bytes() != wanted:
        print(f"making {VENV}, once", file=sys.stderr)
        for command in ([sys.executable, "-m", "venv", str(root / VENV)],
                        [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet",
                         "--require-hashes", "--only-binary", ":all:", "--requirement",
                         str(root / "requirements.txt")]):
            if subprocess.call(command, cwd=root) != 0:
                raise PathError("the virtual environment could not be made; the lines above say why")
        marker.write_bytes(wanted)
    return str(python)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
