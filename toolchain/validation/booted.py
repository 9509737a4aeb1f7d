"""The image of a rung, built and booted as a user does it: by `./doit boot`, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from toolchain.errors import UserError
from toolchain.plugin import Session
from toolchain.variables import COMMON


def boot(current: Session, image: str, prompts: Sequence[str], tokens: int, folder: Path) -> Path:
    """build/IMAGE, whose boot.json has the greedy replies. UserError where it could not be built or booted."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = folder / f"{image}.prompts"
    asked.write_text("".join(f"{prompt}\n" for prompt in prompts), "utf-8")
    words = [f"{name}={current.given[name]}" for name in COMMON if name in current.given]
    current.ui.say(f"./doit boot image={image} prompts={asked} tokens={tokens} temp=0")
    done = subprocess.run([sys.executable, "-m", "toolchain", "boot", f"image={image}", f"prompts={asked.absolute()}",
                           f"tokens={tokens}", "temp=0", *words], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise UserError(f"the image {image} could not be booted", "the lines above say why")
    return Path("build") / image
