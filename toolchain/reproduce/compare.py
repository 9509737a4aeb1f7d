"""Two builds side by side: a row for each stage. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from toolchain.reproduce.first import First, Made

SAME, DIFFERS, UNKNOWN, GONE = "same", "DIFFERS", "not known", "not rebuilt"


@dataclass(frozen=True)
class Row:
    """A stage. `wrong`: its outputs that are others than before; `unknown`: those of which that is not known."""

    stage: str
    outputs: tuple[str, ...]
    before: str  # the executor; empty where it is not known
    now: str  # empty where the stage was not rebuilt
    wrong: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    taken: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """In a word or two. What is not known is not the same."""
        if not self.now:
            return GONE
        if self.wrong:
            return DIFFERS
        return UNKNOWN if self.unknown else SAME


def rows(first: First, rebuilt: Made, order: Iterable[str]) -> list[Row]:
    """Every stage of either build, in the order of the build; those that it does not name come last."""
    names = dict.fromkeys([*order, *sorted(rebuilt.outputs), *sorted(first.outputs)])
    return [_row(first, rebuilt, name) for name in names if name in rebuilt.outputs or name in first.outputs]


def _row(first: First, rebuilt: Made, stage: str) -> Row:
    before, now = first.outputs.get(stage, {}), rebuilt.outputs.get(stage, {})
    outputs = tuple(dict.fromkeys([*now, *before]))
    return Row(stage, outputs, first.executors.get(stage, ""), rebuilt.executors.get(stage, ""),
               tuple(name for name in outputs if name in before and before[name] != now.get(name)),
               tuple(name for name in outputs if name not in before), stage in rebuilt.taken)


def verdict_on(table: Iterable[Row]) -> bool:
    """Whether everything is identical."""
    return all(row.verdict == SAME for row in table)
