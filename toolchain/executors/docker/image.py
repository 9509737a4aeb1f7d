"""The image of a toolchain root: the same tree that the other executors enter, built by the Dockerfile."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolchain.errors import UserError
from toolchain.executors.docker.engine import Engine, reason_of
from toolchain.files import flock, read_json, write_json
from toolchain.roots import Root

DOCKERFILE = Path(__file__).with_name("Dockerfile")
_PIECE = 1 << 20


def tag_of(root: Root) -> str:
    """The image's name."""
    return f"ingot/{root.name}:{root.tree[:16]}"


def labels_of(root: Root) -> dict[str, str]:
    """What the image was made of."""
    return {"ingot.tree": root.tree, "ingot.dockerfile": hashlib.sha256(DOCKERFILE.read_bytes()).hexdigest()}


def ensure_image(engine: Engine, root: Root) -> str:
    """The id of the root's image, which is built where it is not there, or is not the one that was built here.

    Beside the tree lie the record of what was built, which goes with the tree, and the lock that keeps two
    processes from building at once.
    """
    record = root.path.with_name("docker.json")
    known = _present(engine.api, root, read_json(record))
    if known is not None:
        return known
    with root.path.with_name("docker.lock").open("w") as lock:
        flock(lock)
        before = read_json(record)
        known = _present(engine.api, root, before)
        if known is None:
            known = _build(engine.api, root)
            write_json(record, {"image": known})
            if isinstance(before, dict) and before.get("image") != known:
                _forget(engine.api, str(before.get("image")))
        return known


def _present(api: Any, root: Root, record: Any) -> str | None:
    """The id of the image with the root's tag, if it is ours to trust."""
    import docker

    try:
        found = api.inspect_image(tag_of(root))
    except docker.errors.ImageNotFound:
        return None
    labels = found["Config"].get("Labels") or {}
    if not isinstance(record, dict) or record.get("image") != found["Id"]:
        return None
    return str(found["Id"]) if labels.items() >= labels_of(root).items() else None


def _build(api: Any, root: Root) -> str:
    import requests

    trouble = ""
    try:
        for step in api.build(fileobj=context(root.path), custom_context=True, tag=tag_of(root), labels=labels_of(root),
                              rm=True, forcerm=True, network_mode="none", decode=True):
            trouble = str(step.get("error", trouble))
    except requests.RequestException as exc:
        trouble = reason_of(exc)
    if trouble:
        hint = ("docker system prune frees what Docker no longer needs" if "no space left" in trouble
                else "look at the engine's log, or use toolchain=sandbox")
        raise UserError(f"Docker cannot build the image of the root {root.name}: {trouble.strip()}", hint)
    return str(api.inspect_image(tag_of(root))["Id"])


def _forget(api: Any, known: str) -> None:
    """Deletes an image that was replaced, unless somebody still uses it or gave it another name."""
    import docker

    with contextlib.suppress(docker.errors.APIError):
        if not api.inspect_image(known)["RepoTags"]:
            api.remove_image(known)


def context(tree: Path) -> Iterator[bytes]:
    """The build context as a tar, piece by piece: the Dockerfile and the tree as `root/`."""
    held = bytearray()
    for piece in _members(tree):
        held += piece
        if len(held) >= _PIECE:
            yield bytes(held)
            held.clear()
    yield bytes(held) + bytes(2 * tarfile.BLOCKSIZE)


def _members(tree: Path) -> Iterator[bytes]:
    text = DOCKERFILE.read_bytes()
    yield _header("Dockerfile", tarfile.REGTYPE, 0o644, len(text)) + text + _padding(len(text))
    for folder, folders, files in os.walk(tree):
        folders.sort()
        for name in sorted([*folders, *files]):
            path = os.path.join(folder, name)
            yield from _member(path, os.path.join("root", os.path.relpath(path, tree)))


def _member(path: str, name: str) -> Iterator[bytes]:
    found = os.lstat(path)
    mode, modified = stat.S_IMODE(found.st_mode), int(found.st_mtime)
    if stat.S_ISLNK(found.st_mode):
        yield _header(name, tarfile.SYMTYPE, mode, 0, modified, os.readlink(path))
    elif stat.S_ISDIR(found.st_mode):
        yield _header(name, tarfile.DIRTYPE, mode, 0, modified)
    else:
        yield _header(name, tarfile.REGTYPE, mode, found.st_size, modified)
        with open(path, "rb") as file:
            left = found.st_size
            while left:
                piece = file.read(min(left, _PIECE))
                if not piece:
                    raise OSError(f"{path} became shorter while it was read")
                left -= len(piece)
                yield piece
        yield _padding(found.st_size)


def _header(name: str, kind: bytes, mode: int, size: int, modified: int = 0, target: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.mtime, info.linkname = kind, mode, size, modified, target
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
