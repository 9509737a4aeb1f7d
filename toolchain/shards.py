"""text: PATH of a recipe: a file or a folder of the user's, each file of it a shard."""

from __future__ import annotations

import os
import re
from pathlib import Path

from toolchain.errors import UserError
from toolchain.files import from_user
from toolchain.learning import TEXTS
from toolchain.plugin import Session
from toolchain.stage import Ref


def of_user(current: Session, text: str) -> dict[str, str | Ref]:
    """Path in a work folder -> file. PATH is looked for in data_dir=, then in the project."""
    folders = [from_user(current.given["data_dir"])] if "data_dir" in current.given else []
    places = [folder / os.path.expanduser(text) for folder in (*folders, Path())]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise UserError(f"dataset.text: there is neither {' nor '.join(map(str, places))}" if folders else
                        f"dataset.text: there is no {text}",
                        "give the path of a text or of a folder of texts, or data_dir=FOLDER that holds it")
    files = [found] if found.is_file() else sorted(
        file for file in found.rglob("*") if file.suffix in TEXTS and file.is_file())
    if not files:
        raise UserError(f"dataset.text: {found} holds no text", f"give a folder with files {', '.join(TEXTS)}")
    named: dict[str, str | Ref] = {}
    for file in files:
        suffix = file.suffix if file.suffix in TEXTS else ".txt"
        name = "texts/" + (re.sub(r"[^A-Za-z0-9_-]", "-", file.stem).lstrip("-") or "text") + suffix
        if any(Path(other).stem == Path(name).stem for other in named):
            raise UserError(f"dataset.text: two files of {found} are called {Path(name).stem}", "rename one of them")
        named[name] = os.path.relpath(file.absolute(), current.root) if file.is_absolute() else str(file)
    return named
