"""Python wheels of a root: found and fetched by pip with the user's own configuration, pinned by sha256."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from toolchain.digest import sha256
from toolchain.errors import UserError
from toolchain.executors.children import started
from toolchain.roots.lockfile import Package, Wheel
from toolchain.roots.parallel import GoOn
from toolchain.roots.tree import BadMember, Writer, inside

FOLDER = "usr/lib/python3/dist-packages"
MOST_MEMBERS = 200_000
_GLIBC = 36  # bookworm has 2.36
_OLD = ("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64")
_HINT = "check the network and pip's configuration (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS)"


def python_of(packages: Sequence[Package]) -> str:
    """The version of a root's Python, as in "3.11"."""
    for package in packages:
        match = re.match(r"(\d+\.\d+)\.", package.version)
        if package.name == "python3" and match:
            return match[1]
    raise UserError("a toolchain root with wheels needs the package python3", "add it to toolchain/packages.yaml")


def resolve(wanted: Sequence[str], python: str) -> list[Wheel]:
    """Every wheel that is needed, sorted by name; pip does not tell the sizes, which are 0."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        _pip(["install", "--dry-run", "--ignore-installed", "--quiet", "--target", folder, "--report", str(report),
              *_target(python), *wanted], "cannot choose wheels")
        found = json.loads(report.read_bytes())
    return sorted((chosen(item) for item in found["install"]), key=lambda wheel: wheel.name)


def chosen(item: Any) -> Wheel:
    """One entry of pip's report."""
    name = str(item["metadata"]["name"])
    info = item["download_info"]
    digest = info.get("archive_info", {}).get("hashes", {}).get("sha256")
    file = unquote(urlsplit(info["url"]).path).rpartition("/")[2]
    if not digest and urlsplit(info["url"]).scheme == "file":
        digest = sha256(Path(unquote(urlsplit(info["url"]).path)))
    if not digest or not file.endswith(".whl"):
        raise UserError(f"pip found no wheel of {name} with a sha256", _HINT)
    return Wheel(re.sub(r"[-_.]+", "-", name).lower(), str(item["metadata"]["version"]), file, 0, str(digest))


def get_wheels(wheels: Sequence[Wheel], python: str, folder: Path) -> Iterator[Path]:
    """The wheels' files in a folder that is not there yet, each sha256 checked."""
    folder.mkdir()
    pins = folder / "requirements.txt"
    pins.write_text("".join(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in wheels))
    _pip(["download", "--quiet", "--no-deps", "--require-hashes", "--dest", str(folder), *_target(python),
          "--requirement", str(pins)], "cannot fetch wheels")
    found = {sha256(path): path for path in folder.glob("*.whl")}
    for wheel in wheels:
        if wheel.sha256 not in found:
            raise UserError(f"pip did not bring the wheel {wheel.name} {wheel.version} that is locked", _HINT)
        yield found[wheel.sha256]


def _target(python: str) -> list[str]:
    """The root, in pip's words."""
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(_GLIBC, 4, -1)]
    return ["--only-binary", ":all:", "--implementation", "cp", "--python-version", python,
            "--abi", "cp" + python.replace(".", ""),
            *(word for platform in (*platforms, *_OLD) for word in ("--platform", platform))]


def _pip(words: list[str], doing: str) -> None:
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *words]
    with started(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                 errors="replace") as child:
        said = child.communicate()[0]
    if child.returncode:
        _, mark, wrong = said.partition("ERROR: ")
        text = " ".join((wrong if mark else said).split()) or f"pip ended with {child.returncode}"
        raise UserError(f"{doing}: {text[:600]}", _HINT)


def unpack(wheel: Path, writer: Writer, go_on: GoOn) -> None:
    """Puts a wheel's modules into the tree; its programs are left out. Raises BadMember, or zipfile.BadZipFile."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS:
                raise BadMember(f"it has more than {MOST_MEMBERS} members")
            for member in members:
                go_on()
                path = _placed(inside(member.filename))
                mode = member.external_attr >> 16
                if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR) or member.flag_bits & 1:
                    raise BadMember(f"{member.filename!r} is neither file nor folder")
                if path is None:
                    continue
                if member.is_dir():
                    writer.folder(path)
                    continue
                with archive.open(member) as source:
                    writer.file(path, source, member.file_size, bool(mode & 0o100), go_on)
    except (zlib.error, EOFError, NotImplementedError, ValueError) as exc:
        raise zipfile.BadZipFile(str(exc)) from exc


def _placed(path: str) -> str | None:
    """Where a member of a wheel belongs in the tree."""
    if not path:
        return None
    top, _, rest = path.partition("/")
    if top.endswith(".data"):
        kind, _, rest = rest.partition("/")
        if kind not in ("purelib", "platlib") or not rest:
            return None
        path = rest
    return f"{FOLDER}/{path}"
