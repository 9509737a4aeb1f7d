"""`./doit release`: dist/NAME-VERSION, an image with all that is needed to check it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain.commands import IngotCommand
from toolchain.errors import UserError
from toolchain.extras import RELEASE, ensure
from toolchain.files import from_user
from toolchain.plugin import Session

if TYPE_CHECKING:
    from toolchain.release.wish import Wish

VARIABLES = {
    "version": "the release's version (default: ingot's own)",
    "sign": "the private key (PEM) that signs the release",
    "cert": "its certificate (PEM): the EFI program is signed for Secure Boot too (RSA keys)",
    "force": "1 releases what is not pinned, not committed or not in the changelog; the provenance says so",
}


class Release(IngotCommand):
    """Builds the image, in Docker where an engine answers, and packs it."""

    name = "release"
    if_ended = "finished stages are kept, a half release is not"
    doc_purpose = "make a release of an image: dist/NAME-VERSION with SBOM, provenance, report and sums"
    doc_usage = "[image=NAME] [" + "] [".join(f"{name}=..." for name in VARIABLES) + "]"
    doc_description = "\n".join(f"{name}= {text}" for name, text in VARIABLES.items())

    def go(self, current: Session, names: list[str]) -> int:
        """Says what speaks against it before anything is built, and again, of the results, before anything is made."""
        from toolchain.release import git, make
        from toolchain.release.checks import refuse

        wish = _wish(current)
        tree = git.look(current.root)
        if not wish.force:
            refuse([*make.taken(wish), *make.refusals(current, wish, tree)])
        self.bring(["image"])
        tree = git.look(current.root)
        found = make.refusals(current, wish, tree)
        if not wish.force:
            refuse([*make.taken(wish), *found])
        for one in found:
            current.ui.warn(f"released all the same (force=1): {one.what}")
        if wish.version != current.version:
            current.ui.warn(f"the program itself says that it is version {current.version}, not {wish.version}")
        _summary(make.make(current, wish, tree, found), wish.image)
        return 0


def _wish(current: Session) -> Wish:
    """The variables, checked; the key is read before anything is built."""
    from toolchain import release
    from toolchain.release.wish import Wish

    image, version = current.get("image", "tales"), current.get("version", current.version)
    force = current.get("force", "0")
    if not release.is_version(version):
        raise UserError(f"version={version} cannot be a version", "letters, digits and . + ~ _ - (as in 1.2.0)")
    if force not in ("0", "1"):
        raise UserError(f"force={force} is neither 1 nor 0", "force=1 releases in spite of what speaks against it")
    if "cert" in current.given and "sign" not in current.given:
        raise UserError("cert= needs sign=", "sign= names the private key, cert= its certificate")
    for module in ("cyclonedx", "zstandard"):
        ensure(module, current.ui, RELEASE)
    if "sign" not in current.given:
        return Wish(image, version, force=force == "1")
    ensure("cryptography", current.ui, RELEASE)
    from toolchain.release.sign import ask_passphrase, load_certificate, load_key

    key = load_key(_path(current, "sign"), ask_passphrase)
    cert = _path(current, "cert") if "cert" in current.given else None
    if cert is not None:
        load_certificate(cert, key)
    return Wish(image, version, key, cert, force == "1")


def _path(current: Session, name: str) -> Path:
    """A file that a variable names, seen from where the user typed it."""
    return from_user(current.given[name])


def _summary(folder: Path, image: str) -> None:
    """Paths are seen from where the user typed: so they can be typed there."""
    called = os.environ.get("INGOT_CALLED_FROM") or os.curdir
    shown, doit = os.path.relpath(folder, called), os.path.relpath("doit", called)
    doit = doit if os.sep in doit else f"./{doit}"
    print(f"{shown}:")
    files = sorted(folder.iterdir())
    wide = max(len(file.name) for file in files)
    for file in files:
        print(f"  {file.name:<{wide}}  {file.stat().st_size:>13,} bytes")
    print(f"\ncheck it:      {doit} verify {shown}\nbuild it anew: {doit} reproduce image={image} from={shown}")
