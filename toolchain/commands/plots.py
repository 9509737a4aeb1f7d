"""`./doit plots`: the loss curve of an image's model, as PNG and PDF."""

from __future__ import annotations

from pathlib import Path

from toolchain.commands import IngotCommand
from toolchain.errors import UserError
from toolchain.extras import ensure
from toolchain.plugin import Session


class Plots(IngotCommand):
    """Trains if it has to, then draws."""

    name = "plots"
    doc_purpose = "draw the loss curve of an image's model (PNG and PDF)"
    doc_usage = "[image=NAME]"

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
        return 0
