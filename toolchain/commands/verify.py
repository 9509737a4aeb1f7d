"""`./doit verify PATH`: checks a release folder, an image or a disk, a line for each thing that was checked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from toolchain import extras
from toolchain.commands import IngotCommand
from toolchain.errors import UserError
from toolchain.files import from_user
from toolchain.plugin import Session
from toolchain.roots.folder import RootFolder
from toolchain.ui import Ui

if TYPE_CHECKING:
    from toolchain.release.verify.lie import Lie, Line

VARIABLES = {
    "key": "a public key (PEM): the release must be signed by it",
    "cert": "a certificate (PEM): the EFI program must be signed by it",
    "from": "the release folder that an image or a disk should be of",
}
T = TypeVar("T")
LARGEST = 1 << 16  # bytes of a key or certificate


class Verify(IngotCommand):
    """Ends at the first lie, which names the file."""

    name = "verify"
    if_ended = ""
    doc_purpose = "check a release folder, an image or a USB stick"
    doc_usage = "PATH [key=PUBLIC.pem] [cert=CERT.pem] [from=dist/NAME-VERSION]"
    doc_description = ("PATH is a release folder, an image (.img, .img.zst) or a disk (/dev/sdX).\n"
                       + "\n".join(f"{name}= {text}" for name, text in VARIABLES.items()))
    takes_names = True

    def go(self, current: Session, names: list[str]) -> int:
        """Exit status 1 for a lie."""
        if len(names) != 1:
            raise UserError("verify takes one PATH", "a release folder, an image, or a disk: ./doit verify "
                            "dist/NAME-VERSION")
        path, of = from_user(names[0]), _given(current, "from")
        if not path.exists():
            raise UserError(f"{names[0]} does not exist", "./doit release makes a release in dist/")
        if path.is_dir() and of is not None:
            raise UserError("from= is for an image or a disk", f"{names[0]} is a folder: leave from= out")
        if of is not None and not of.is_dir():
            raise UserError(f"from={current.given['from']} is not a folder", "it is a release: dist/NAME-VERSION")
        for module in ("cryptography", "zstandard"):
            extras.ensure(module, current.ui, extras.RELEASE)
        from toolchain.release import verify
        from toolchain.release.verify import folder, program

        trusted = verify.Trusted(_read(current, "key", folder.canonical), _read(current, "cert", program.certificate),
                                 _locks(current.roots))
        say = _coloured(current.ui) if sys.stdout.isatty() and current.ui.console.is_terminal else _plain
        tell = current.ui.progress("verify")
        try:
            with current.ui.running("verify"):
                if path.is_dir():
                    verify.whole(path, trusted, say, lambda _, done, size: tell(done, size))
                else:
                    verify.disk(path, of, trusted, say, lambda _, done, size: tell(done, size))
        except verify.Lie as lie:
            say(lie)
            return 1
        except OSError as exc:
            raise UserError(f"{names[0]} cannot be read: {exc.strerror}",
                            "check its rights, and the disk that it is on") from exc
        return 0


def _given(current: Session, name: str) -> Path | None:
    return from_user(current.given[name]) if name in current.given else None


def _read(current: Session, name: str, parse: Callable[[bytes], T]) -> T | None:
    """What a variable's file holds; None where the variable is not given."""
    path = _given(current, name)
    try:
        if path is None:
            return None
        with path.open("rb") as file:
            return parse(file.read(LARGEST))
    except OSError as exc:
        raise UserError(f"{name}={path} cannot be read: {exc.strerror}", "name a file in PEM") from None
    except UserError as exc:
        raise UserError(f"{name}={path} is {exc.what}", exc.hint or "release.pub of a signed release is one") from None


def _locks(roots: RootFolder) -> Callable[[str], frozenset[tuple[str, str, str]] | None]:
    """Name, version and sha256 of the packages of a root's lock, where this checkout has that very lock."""

    def packages(identity: str) -> frozenset[tuple[str, str, str]] | None:
        try:
            name = identity.partition(":")[0]
            if name not in roots.names() or roots.identity(name) != identity:
                return None
            return frozenset((file.name, file.version, file.sha256) for file in roots.lock(name).files())
        except UserError:
            return None

    return packages


def _plain(said: Line | Lie) -> None:
    print(_text(said), flush=True)


def _coloured(ui: Ui) -> Callable[[Line | Lie], None]:
    """Above the bar: green holds, yellow could not be known, red is a lie."""
    from rich.text import Text

    return lambda said: ui.show(Text(_text(said), style=said.style))


def _text(said: Line | Lie) -> str:
    from toolchain.release.verify.lie import shown

    return f"{said.mark}  {shown(said.file)}: {shown(said.text)}"
