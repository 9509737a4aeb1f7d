"""doit BACKEND `memory`: nothing is kept between runs.

The store and the files themselves say what is fresh. doit's own database would be a second opinion,
written at the end of a run alone, that two builds of one clone could not share.
"""

from __future__ import annotations

from typing import Any

from doit.dependency import JsonDB


class MemoryDB(JsonDB):
    """doit's JSON database without the file."""

    desc = "keeps nothing between runs: for projects made of stages alone"

    def _load(self) -> dict[str, Any]:
        return {}

    def dump(self) -> None:
        """Nothing to write."""
