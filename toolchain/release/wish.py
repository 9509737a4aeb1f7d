"""What the user asks of `./doit release`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain import release

if TYPE_CHECKING:
    from toolchain.release.sign import Key


@dataclass(frozen=True)
class Wish:
    """One release. `cert`: the EFI program is signed for Secure Boot too."""

    image: str
    version: str
    key: Key | None = None
    cert: Path | None = None
    force: bool = False

    @property
    def folder(self) -> Path:
        """Where the release will lie."""
        return Path(release.DIST) / release.folder_of(self.image, self.version)
