"""`./doit plan [STAGE…]`: what would run, be restored or stay, and why; runs nothing."""

from __future__ import annotations

from toolchain.commands import IngotCommand, chosen_stages
from toolchain.plugin import Session

_STYLES = {"run": "yellow", "wait": "yellow", "restore": "cyan", "fresh": "dim"}


class Plan(IngotCommand):
    """Asks each stage where it stands."""

    name = "plan"
    doc_purpose = "show what would run, be restored or stay, and why; run nothing"
    doc_usage = "[STAGE ...]"
    takes_names = True

    def go(self, current: Session, names: list[str]) -> int:
        """A line a stage on stdout, in the order in which they would run."""
        from rich.console import Console
        from rich.table import Table

        table = Table("would", "stage", "because", box=None, header_style="bold", padding=(0, 2, 0, 0))
        for one in chosen_stages(current, names):
            standing = current.graph.standing(one)
            word = {"fresh": "stay", "wait": "run"}.get(standing.state, standing.state)
            table.add_row(word, one.name, standing.reason, style=_STYLES[standing.state])
        Console(highlight=False).print(table)
        return 0
