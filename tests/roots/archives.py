"""Small packages, made byte by byte so that they may also be bad ones, and a mirror that serves them."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import lzma
import re
import tarfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from toolchain.roots.lockfile import Lock, Package, encode


def folder(name: str) -> tarfile.TarInfo:
    return _member(name, tarfile.DIRTYPE)


def link(name: str, target: str) -> tarfile.TarInfo:
    return _member(name, tarfile.SYMTYPE, linkname=target)


def hard(name: str, target: str) -> tarfile.TarInfo:
    return _member(name, tarfile.LNKTYPE, linkname=target)


def special(name: str, kind: bytes = tarfile.CHRTYPE) -> tarfile.TarInfo:
    return _member(name, kind)


def file(name: str, content: bytes = b"content", mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    member = _member(name, tarfile.REGTYPE)
    member.size, member.mode = len(content), mode
    return member, content


def _member(name: str, kind: bytes, linkname: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, linkname, 0o755
    return member


Member = tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]


def named(member: Member) -> str:
    """The member's name, for a test's id."""
    return repr((member[0] if isinstance(member, tuple) else member).name[:20])


def tar(members: Iterable[Member]) -> bytes:
    """The members as they are, whatever they are."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for one in members:
            member, content = one if isinstance(one, tuple) else (one, b"")
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def ar(parts: Mapping[str, bytes]) -> bytes:
    """The outer archive of a .deb."""
    out = b"!<arch>\n"
    for name, content in parts.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode() + content
        out += b"\n" * (len(content) % 2)
    return out


def deb(*members: Member) -> bytes:
    """A .deb as Debian 12 packs them."""
    return ar({"debian-binary": b"2.0\n", "control.tar.xz": lzma.compress(tar([])),
               "data.tar.xz": lzma.compress(tar(members))})


@dataclass
class Mirror:
    """Serves what is in `pool`; `replies` may do something else for a path, `asked` is what was asked for."""

    pool: dict[str, bytes] = field(default_factory=dict)
    replies: dict[str, Callable[[Handler], None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.mirror = self
        self.url = f"http://127.0.0.1:{self._server.server_port}/debian"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    mirror: Mirror


class Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        mirror = self.server.mirror
        path = unquote(self.path).removeprefix("/debian/")
        mirror.asked.append(path)
        if path in mirror.replies:
            mirror.replies[path](self)
        elif path in mirror.pool:
            self.send(200, mirror.pool[path])
        else:
            self.send(404)

    def send(self, status: int, body: bytes = b"", length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def start(self) -> int:
        """The first byte that is asked for."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(match[1]) if match else 0

    def log_message(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class Made:
    """A root's packages, its lock (without a tree yet), and the folder where locks lie."""

    locks: Path
    lock: Lock
    debs: dict[str, bytes]  # by path

    def write(self, tree: str) -> None:
        """Writes the lock file with this tree."""
        self.locks.mkdir(exist_ok=True)
        (self.locks / f"{self.lock.root}.lock").write_bytes(encode(replace(self.lock, tree=tree)))


def root_of(locks: Path, debs: Mapping[str, bytes], root: str = "cc", links: Mapping[str, str] | None = None) -> Made:
    """A root of these packages (name -> .deb)."""
    packages, pool = [], {}
    for name, content in sorted(debs.items()):
        path = f"pool/main/{name[0]}/{name}/{name}_1.0+b1~x_amd64.deb"
        packages.append(Package(name, "1:1.0+b1~x", path, len(content), hashlib.sha256(content).hexdigest()))
        pool[path] = content
    lock = Lock(root, "bookworm", "0" * 64, tuple(sorted(debs)), (), tuple(sorted((links or {}).items())),
                tuple(packages))
    return Made(locks, lock, pool)


def raw(lock: Lock) -> dict[str, object]:
    """The lock's JSON, to be spoilt."""
    value = json.loads(encode(replace(lock, tree=lock.tree or "f" * 64)))
    assert isinstance(value, dict)
    return value
