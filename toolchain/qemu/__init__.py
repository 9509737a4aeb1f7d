"""Boots an image in QEMU: scripted or interactive, on the machine's accelerator or on TCG.

Importing this package loads nothing of weight; `boot` brings the rest in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolchain.qemu.options import BootOptions


def parse(words: Mapping[str, str], image: Path) -> BootOptions:
    """The `name=value` words of the command line for a boot of `image`, checked. Raises UserError."""
    from toolchain.qemu.options import parse as parse_options

    return parse_options(words, image)


def boot(options: BootOptions, *, say: Callable[[str], None], boot_json: Path,
         vm: Callable[[], Path] | None = None) -> int:
    """Boots `options.image` and returns the exit status for the user.

    `say` gets one-line notices (they belong on stderr: stdout is the model's). A scripted boot writes
    `boot_json`. `vm` gives the folder of the toolchain root with QEMU and OVMF, and is asked only where
    they are needed; without it this machine's are used. Raises UserError; by then QEMU is gone and the
    terminal as it was.
    """
    from toolchain.qemu.run import run

    return run(options, say=say, boot_json=boot_json, vm=vm)
