"""`./doit compare`: six decoding strategies side by side."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from toolchain import ml
from toolchain.commands.infer import Infer, arguments, of_image
from toolchain.errors import UserError
from toolchain.plugin import Session

COUNTED = {"distinct1": "distinct-1", "distinct2": "distinct-2", "repetition": "repetition", "perplexity": "perplexity"}


class Compare(Infer):
    """Greedy, three temperatures, top-k and top-p on one prompt."""

    name = "compare"
    doc_purpose = "show six decoding strategies of an image's model side by side"
    doc_usage = 'prompt="..." [image=NAME] [max_tokens=N] [seed=N]'

    def go(self, current: Session, names: list[str]) -> int:
        """A table; distinct-n, repetition and perplexity are explained in model/infer.py."""
        if "prompt" not in current.given:
            raise UserError("compare needs a prompt", 'compare prompt="Once upon a time"')
        self.trained(current)
        files = of_image(current)
        words = [word for name in ("prompt", "max_tokens", "seed") if name in current.given
                 for word in (f"--{name.replace('_', '-')}", current.given[name])]
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            ml.run(current, "model.infer", [*arguments(files), *words, "--compare", "out/compare.json"], files, out,
                   current.ui.say)
            _show(json.loads((out / "compare.json").read_bytes()), current.given["prompt"])
        return 0


def _show(rows: list[dict[str, Any]], prompt: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(prompt), show_lines=True, title_justify="left")
    table.add_column("strategy", no_wrap=True)
    table.add_column("text", overflow="fold", ratio=1)
    for title in COUNTED.values():
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        numbers = ("-" if row[name] is None else f"{row[name]:.2f}" for name in COUNTED)
        table.add_row(row["name"], Text(row["text"]), *numbers)
    Console().print(table)
