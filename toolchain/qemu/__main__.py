"""`python -m toolchain.qemu IMAGE_FILE [name=value …]`: boots a finished image without the graph.

doit.cmd uses it on Windows, where nothing is built; it serves anywhere.
"""

from __future__ import annotations

import sys
from pathlib import Path

from toolchain.errors import UserError
from toolchain.qemu import boot, parse
from toolchain.qemu.options import VARIABLES
from toolchain.variables import check

_CHOOSES_IMAGE = ("image", "debug")


def main(argv: list[str]) -> int:
    """The exit status of the boot, or 1 with an error on stderr."""
    try:
        if not argv or any("=" not in word for word in argv[1:]):
            raise UserError("usage: python -m toolchain.qemu IMAGE_FILE [name=value …]",
                            "the variables are those of ./doit boot")
        image = Path(argv[0])
        words = dict(word.split("=", 1) for word in argv[1:])
        check(words, [*VARIABLES, *_CHOOSES_IMAGE])
        return boot(parse(words, image), say=lambda text: print(text, file=sys.stderr),
                    boot_json=image.parent / "boot.json")
    except UserError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
