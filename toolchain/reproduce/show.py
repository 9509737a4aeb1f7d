"""The result, on stdout: a table for a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from toolchain.commands.explain import clean
from toolchain.reproduce.compare import DIFFERS, GONE, SAME, Row
from toolchain.reproduce.surroundings import Variation

_STYLES = {SAME: "green", DIFFERS: "bold red", GONE: "bold red"}


def shown(row: Row) -> tuple[str, str, str, str, str]:
    """Stage, outputs, executors then and now, verdict: as text. Pure."""
    outputs = ", ".join(f"{name} (differs)" if name in row.wrong and len(row.outputs) > 1 else name
                        for name in row.outputs)
    notes = [row.note, "taken, not rebuilt" if row.taken else ""]
    verdict = row.verdict + "".join(f" ({note})" for note in notes if note)
    return row.stage, clean(outputs), row.before or "?", row.now or "-", verdict


def table(rows: Sequence[Row], name: str) -> None:
    """Every stage; `name` is what tells of the first build."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        for row in rows:
            stage, outputs, before, now, verdict = shown(row)
            print(f"{verdict:<9} {stage}: {outputs} ({before} -> {now})")
        return
    drawn = Table("stage", "outputs", "first build", "rebuild", "", box=None, header_style="bold",
                  title=f"compared with {name}", title_justify="left", padding=(0, 2, 0, 0))
    for row in rows:
        drawn.add_row(*shown(row), style=_STYLES.get(row.verdict, "yellow") if row.verdict != SAME else None)
    console.print(drawn)


def variations(found: Iterable[Variation]) -> None:
    """What was varied, then what could not be."""
    for one in found:
        note = f" ({one.note})" if one.note else ""
        if one.applied:
            print(clean(f"varied    {one.what}: {one.here} -> {one.there}{note}"))
        else:
            print(clean(f"as here   {one.what}: {one.here}{note}"))
