"""`./doit plots`: the loss curve of an image's model, what temperature does, attention maps; as PNG and PDF."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from toolchain import ml
from toolchain.commands import IngotCommand
from toolchain.commands.infer import arguments, of_image
from toolchain.errors import UserError
from toolchain.extras import ensure
from toolchain.plugin import Session


class Plots(IngotCommand):
    """Trains if it has to, then draws."""

    name = "plots"
    doc_purpose = "draw an image's loss curve; with a prompt, temperatures and attention maps too (PNG and PDF)"
    doc_usage = '[image=NAME] [prompt="..."]'

    def go(self, current: Session, names: list[str]) -> int:
        """Prints the files that it made."""
        if not current.is_stage("train"):
            raise UserError(f"the model of {current.get('image', 'tales')} is downloaded: how it learnt is not known",
                            "plots is for images whose recipe trains: plots image=tales")
        self.bring(["train"])
        ensure("matplotlib", current.ui)
        folder = Path("build") / current.get("image", "tales")
        import importlib

        plots = importlib.import_module("model.plots")
        for path in plots.plots(folder / "train.jsonl", folder):
            print(path)
        if "prompt" in current.given:
            files = of_image(current)
            with tempfile.TemporaryDirectory() as name:
                words = [*arguments(files), f"--prompt={current.given['prompt']}", "--out", "out/pictures.json"]
                ml.run(current, "model.pictures", words, files, Path(name), current.ui.say)
                found = json.loads((Path(name) / "pictures.json").read_bytes())
            for path in plots.pictures(found, folder):
                print(path)
        return 0
