"""Makes dist/NAME-VERSION from an image that is built. The folder appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain import recipe, release
from toolchain.digest import sha256
from toolchain.errors import UserError
from toolchain.files import copy, disk_errors
from toolchain.hold import sweep, workplace
from toolchain.plugin import Session
from toolchain.release import checks, facts, gather, git, licences, model_facts, pack, parts, provenance, sbom, sums
from toolchain.release.provenance import File, StageRecord
from toolchain.release.wish import Wish
from toolchain.store import CorruptBlob

if TYPE_CHECKING:
    from toolchain.release.sign import Key

_REMEMBERED = ("toolchain",)  # variables that say how a release was made; others may name keys, people, addresses


@dataclass(frozen=True)
class _Files:
    """The image and its program, as they are released."""

    image: Path
    program: Path
    unsigned: dict[str, str]  # output -> sha256 before Secure Boot's signature; empty where there is none


def refusals(current: Session, wish: Wish, tree: git.Tree) -> list[checks.Refusal]:
    """What speaks against the release, as far as it is known yet."""
    return checks.refusals(gather.situation(current, tree, wish.image, wish.version))


def taken(wish: Wish) -> list[checks.Refusal]:
    """Whether there is such a release already."""
    if not os.path.lexists(wish.folder):
        return []
    return [checks.Refusal(f"{wish.folder} is there already", "delete it, or choose another version=", real=False)]


def make(current: Session, wish: Wish, tree: git.Tree, found: Sequence[checks.Refusal]) -> Path:
    """The whole: image, SBOM, provenance, report, sums, signatures. `found` is what speaks against it."""
    works = wish.folder.parent / ".work"  # on the same file system, and no release's name
    with disk_errors(str(wish.folder)):
        sweep(works)
        with workplace(works) as work, current.graph.store.workspace() as inner:
            out = work / wish.folder.name
            out.mkdir(mode=0o755)
            out.chmod(0o755)
            try:
                _fill(current, wish, tree, found, out, inner)
            except CorruptBlob as exc:
                raise UserError(f"the store's copy of {_lost(current, str(exc.args[0]))} is damaged, and is gone now",
                                "run the same command again: it is built anew") from exc
            for file in out.iterdir():
                file.chmod(0o644)
            _settle(out, wish.folder, work)
    return wish.folder


def _fill(current: Session, wish: Wish, tree: git.Tree, found: Sequence[checks.Refusal], out: Path,
          inner: Path) -> None:
    stages = gather.records(current)
    files = _signed(current, wish, inner) if wish.cert is not None else _stored(current, wish)
    name = release.image_of(wish.image, wish.version)
    with _shown(current, f"packing {name}") as progress:
        digest = pack.pack(files.image, out / release.packed_of(wish.image, wish.version), progress)
    image = File(digest, files.image.stat().st_size)
    if not files.unsigned and digest != _output(current, f"{wish.image}.img"):
        raise UserError(f"{files.image} changed while it was read", "run the same command again")
    with (out / release.EFI).open("xb") as target:
        copy(files.program, target)
    efi = File(sha256(out / release.EFI), (out / release.EFI).stat().st_size)

    (out / release.SBOM).write_bytes(_sbom(current, wish, tree, found, stages, image, efi))
    subjects = {name: digest, **{path.name: sha256(path) for path in out.iterdir()}}
    statement = _provenance(current, wish, tree, found, stages, subjects, files.unsigned)
    (out / release.PROVENANCE).write_bytes(provenance.encode(statement))
    (out / release.REPORT).write_bytes(facts.page(current, wish, statement, files.image, image, out))
    (out / release.SUMS).write_bytes(sums.encode({path.name: sha256(path) for path in out.iterdir()}))
    if wish.key is not None:
        _sign(wish.key, out)


def _lost(current: Session, digest: str) -> str:
    """Which output it is; its stage is forgotten, so that the next build makes it."""
    name = digest
    for stage in gather.order(current):
        result = current.graph.result(stage)
        if result is not None and any(output.sha256 == digest for output in result.outputs):
            name = next(output.path for output in result.outputs if output.sha256 == digest)
            current.graph.forget(stage)
    return name


def _stored(current: Session, wish: Wish) -> _Files:
    """As the stages made them: from the store, every byte read again."""
    store = current.graph.store
    return _Files(store.verified(_output(current, f"{wish.image}.img"), read=True),
                  store.verified(_output(current, release.EFI), read=True), {})


def _signed(current: Session, wish: Wish, inner: Path) -> _Files:
    """With Secure Boot's signature in the program, and a new image around it."""
    from toolchain.release.secureboot import sign_efi
    from toolchain.release.signed import image_around

    assert wish.key is not None and wish.cert is not None
    before, program = _stored(current, wish), inner / "program" / release.EFI
    stage = current.graph.stages[gather.TARGET]
    host = current.graph.executor.digest(stage.root, ()).startswith("host:")
    sign_efi(None if host else current.roots, before.program, program, wish.key, wish.cert)
    (inner / "image").mkdir()
    image = image_around(current, stage, program, inner / "image")
    return _Files(image, program, {release.EFI: _output(current, release.EFI),
                                   f"{wish.image}.img": _output(current, f"{wish.image}.img")})


def _output(current: Session, path: str) -> str:
    """sha256 of an output of the image's stages."""
    output = gather.output(current, path)
    if output is None:
        raise UserError(f"no stage of this project makes {path}", "a release is made of an EFI program and an image")
    return output.sha256


def _sbom(current: Session, wish: Wish, tree: git.Tree, found: Sequence[checks.Refusal],
          stages: Sequence[StageRecord], image: File, efi: File) -> bytes:
    from toolchain import __version__

    locks = gather.locks(current, stages)
    model = gather.output(current, "model.gguf")
    content = parts.Content(
        recipe=recipe.read(current.root, wish.image), version=wish.version, image=image, efi=efi, stages=stages,
        locks=locks, project=licences.of_project(current.root),
        licences={name: licences.of_root(current.roots.ensure(name).path, lock) for name, lock in locks.items()},
        sources=gather.sources(current, wish.image), whole=not found and all(stage.pinned for stage in stages),
        downloads={stage.name: stage.download.urls for stage in gather.order(current) if stage.download is not None},
        model=model_facts.read(current.graph.store.blob(model.sha256)) if model is not None else {})
    return sbom.encode(parts.main_part(content), parts.parts(content), ("ingot", __version__), tree.time or 0)


def _provenance(current: Session, wish: Wish, tree: git.Tree, found: Sequence[checks.Refusal],
                stages: tuple[StageRecord, ...], subjects: dict[str, str],
                unsigned: dict[str, str]) -> provenance.Provenance:
    changed = bool(git.dirty(tree, gather.inputs(current, wish.image)))
    return provenance.Provenance(
        subjects=subjects, image=wish.image, version=wish.version,
        recipe=(current.root / "images" / f"{wish.image}.yaml").read_bytes().decode(),
        variables={name: current.given[name] for name in _REMEMBERED if name in current.given}, stages=stages,
        roots=gather.roots(current, gather.locks(current, stages)), downloads=gather.downloads(current),
        commit=tree.commit, changed=changed and bool(tree.commit),
        repository=gather.repository(current.root) if tree.commit else "", certificate=_fingerprint(wish),
        force=wish.force, forced=tuple(one.what for one in found), sources=gather.sources(current, wish.image),
        checked=gather.checked(current, wish.image), byproducts=provenance.unsigned(unsigned),
        builder=provenance.BUILDERS[os.environ.get("CI") == "true"], versions=_versions())


def _versions() -> dict[str, str]:
    """Of what decides the bytes of a release beside its image."""
    from importlib.metadata import version

    from toolchain import __version__

    return {"ingot": __version__, **{name: version(name) for name in ("cyclonedx-python-lib", "zstandard")}}


def _fingerprint(wish: Wish) -> str:
    """sha256 of the Secure Boot certificate."""
    if wish.key is None or wish.cert is None:
        return ""
    from cryptography.hazmat.primitives.hashes import SHA256

    from toolchain.release.sign import load_certificate

    return load_certificate(wish.cert, wish.key).fingerprint(SHA256()).hex()


def _sign(key: Key, out: Path) -> None:
    (out / release.PUBLIC_KEY).write_bytes(key.public_pem)
    for name, signature in ((release.SUMS, release.SUMS_SIGNATURE),
                            (release.PROVENANCE, release.PROVENANCE_SIGNATURE)):
        (out / signature).write_bytes(key.sign((out / name).read_bytes()))


def _settle(out: Path, folder: Path, work: Path) -> None:
    """Puts the finished folder into its place; one that was there (force=1) goes with the work folder, or back."""
    old = work / "old"
    try:
        if os.path.lexists(folder):
            os.rename(folder, old)
        os.rename(out, folder)
    except BaseException:
        if os.path.lexists(old) and not os.path.lexists(folder):
            os.rename(old, folder)
        raise


@contextlib.contextmanager
def _shown(current: Session, what: str) -> Iterator[pack.Progress]:
    with current.ui.running(what):
        yield current.ui.progress(what)
