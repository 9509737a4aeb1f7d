"""`./doit generate prompt="…"`: the engine on this machine, without UEFI."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from toolchain.commands import IngotCommand
from toolchain.errors import UserError
from toolchain.own_model import own_model
from toolchain.plugin import Session
from toolchain.recipe import Published, Training, read

# boot's variable -> the host program's flag; the order is boot's too
FLAGS = {"temp": "-t", "top_p": "-p", "top_k": "--top-k", "seed": "-s", "tokens": "--tokens", "prompt": "-i"}
DEFAULTS = {"tokens": "256", "seed": "1"}


class Generate(IngotCommand):
    """Runs build/host/ingot on the image's model, or a file; stdout is the text and nothing else."""

    name = "generate"
    doc_purpose = "let the model continue a prompt on this machine, without UEFI"
    doc_usage = ('prompt="..." [image=NAME | model=FILE|FOLDER [tokenizer=FILE]] [tokens=N] [seed=N] [temp=F] '
                 "[top_k=N] [top_p=F]")

    def go(self, current: Session, names: list[str]) -> int:
        """Same variables, same text as a scripted boot."""
        if "prompt" not in current.given:
            raise UserError("generate needs a prompt", 'generate prompt="Once upon a time"')
        stages, model, tokenizer = _model(current)
        self.bring([*stages, "host"])
        argv = [str(Path("build/host/ingot")), str(model)]
        if tokenizer is not None:
            argv += ["-z", str(tokenizer)]
        words = {**DEFAULTS, **current.given}
        for name, flag in FLAGS.items():
            if name in words:
                argv += [flag, words[name]]
        return subprocess.run(argv, env={**os.environ, "LC_ALL": "C.UTF-8"}, check=False).returncode


def _model(current: Session) -> tuple[list[str], Path, Path | None]:
    """The stages that make the model, its file (of one in parts, the first), and its tokenizer's."""
    own = own_model(current)
    if own is not None:
        if len(own.models) > 1:
            raise UserError(f"generate runs one model, not {len(own.models)}", "give one file: model=FILE")
        one = own.models[0]
        if one.folder is not None:
            return ["export:model"], Path("build") / own.image / "model.gguf", None
        return [], one.parts[0], one.tokenizer
    source = read(current.root, current.get("image", "tales")).source
    folder = Path("build") / current.get("image", "tales")
    if isinstance(source, Training):
        return ["export"], folder / "model.gguf", None
    model, *tokenizer = (folder / name for name in source.files)
    return ["fetch" if isinstance(source, Published) else "export"], model, tokenizer[0] if tokenizer else None
