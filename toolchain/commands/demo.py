"""`./doit demo`: an image's model learns something new before your eyes; what it writes before and after."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from toolchain import ml
from toolchain.bars import Bars
from toolchain.commands.infer import Infer, arguments, of_image
from toolchain.plugin import Session

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 50  # characters of the curve


class Demo(Infer):
    """The model of images/tales.yaml is pinned bit for bit by images/tales.lock, so all begin with the same one."""

    name = "demo"
    doc_purpose = "teach an image's model Python in 100 steps; show its texts before and after, and the curve"
    doc_usage = '[image=NAME] [prompt="..."]'

    def go(self, current: Session, names: list[str]) -> int:
        """The image's own files stay as they are."""
        self.trained(current)
        files = of_image(current)
        words = [f"--prompt={current.given['prompt']}"] if "prompt" in current.given else []
        with tempfile.TemporaryDirectory() as name:
            with Bars(current.ui) as bars:
                def take(line: str) -> None:
                    bars.line(line, "demo")

                ml.run(current, "model.demo", [*arguments(files), *words, "--out", "out"], files, Path(name), take)
            _show(json.loads((Path(name) / "demo.json").read_bytes()))
        return 0


def curve(points: list[tuple[float, float]], width: int = WIDTH) -> str:
    """The values as a row of blocks, each the mean of its share of the steps."""
    first, last = points[0][0], points[-1][0]
    shares: dict[int, list[float]] = {}
    for x, y in points:
        shares.setdefault(min(width - 1, int((x - first) / max(last - first, 1e-9) * width)), []).append(y)
    means = {at: sum(values) / len(values) for at, values in shares.items()}
    low, high = min(means.values()), max(means.values())
    known, row = means[min(means)], ""
    for at in range(width):
        known = means.get(at, known)
        row += BLOCKS[round((known - low) / max(high - low, 1e-9) * (len(BLOCKS) - 1))]
    return row


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    console, losses = Console(highlight=False), found["losses"]
    for title, texts in (("before", found["before"]), (f"after {len(losses)} steps", found["after"])):
        for text in texts:
            console.print(Panel(Text(text), title=title, title_align="left"))
    console.print(Text(f"loss {losses[0][1]:.2f} {curve(losses)} {losses[-1][1]:.2f}"))
    before, after = found["judged"]
    console.print(f"on functions in an order it has not seen: {before:.2f} before, {after:.2f} after")
