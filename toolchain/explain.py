"""Why a stage runs, or ran: its key now beside the nearest earlier one, field by field. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from toolchain.graph import Graph
from toolchain.journal import Event
from toolchain.key import Fields, differences, key_of
from toolchain.stage import Ref, Stage
from toolchain.store import fields_of

MOST = 200  # earlier keys of a stage are looked at, the newest


@dataclass(frozen=True)
class Change:
    """A field of the key that differs; `stage` is the one that makes the file, where one does."""

    field: str
    old: Any
    new: Any
    stage: str | None = None


@dataclass(frozen=True)
class Earlier:
    """An earlier key of the stage. `here`: it is the last one of this folder; `time` is 0 where nobody noted it."""

    key: str
    fields: Fields
    here: bool
    time: float


@dataclass(frozen=True)
class Explanation:
    """Where a stage stands. `state` is fresh, restore, run, or wait (for the stage that `waits_for` explains)."""

    stage: str
    state: str
    reason: str
    key: str | None = None
    earlier: Earlier | None = None
    changes: tuple[Change, ...] = ()
    lost: str = ""  # evicted, damaged: what became of the result of this very key
    lost_at: float = 0.0
    damaged: tuple[str, ...] = ()  # outputs whose blobs are
    waits_for: Explanation | None = None

    def as_json(self) -> dict[str, Any]:
        """Every value in full."""
        earlier = self.earlier and {"key": self.earlier.key, "from": "folder" if self.earlier.here else "store",
                                    "time": self.earlier.time or None}
        lost = {"how": self.lost, "time": self.lost_at} if self.lost else None
        return {"stage": self.stage, "state": self.state, "reason": self.reason, "key": self.key, "earlier": earlier,
                "changes": [asdict(change) for change in self.changes], "lost": lost, "damaged": list(self.damaged),
                "waits_for": self.waits_for.as_json() if self.waits_for else None}


def explain(graph: Graph, stage: Stage) -> Explanation:
    """Compares with what this folder and the store remember."""
    return _explain(graph, stage, graph.store.journal.events())


def _explain(graph: Graph, stage: Stage, journal: list[Event]) -> Explanation:
    standing = graph.standing(stage)
    if standing.key is None or standing.fields is None:
        first = next(up for up in stage.upstream() if graph.result(up) is None)
        return Explanation(stage.name, "wait", standing.reason, waits_for=_explain(graph, first, journal))
    key, fields = standing.key, standing.fields
    events = [event for event in journal if event.stage == stage.name]
    earlier = _nearest(list(_earlier(graph, stage, key, events)), fields)
    changes = tuple(_changes(stage, earlier.fields, fields)) if earlier else ()
    damaged = tuple(graph.store.damaged(standing.result)) if standing.result is not None else ()
    last = next((event for event in reversed(events) if event.key == key), None)
    lost = last if standing.state == "run" and last and last.event in ("evicted", "damaged") else None
    state, reason = standing.state, standing.reason
    if state == "restore" and damaged:
        state, reason = "run", f"same key, its blobs are damaged: {', '.join(damaged)}"
    elif lost is not None:
        reason = "its result was evicted by gc" if lost.event == "evicted" else "its result was found damaged by verify"
    elif state == "run" and (last is not None or graph.record(stage).get("key") == key):
        reason = "same key, its result is no longer in the store"
    elif state == "run":
        differ = "field differs" if len(changes) == 1 else "fields differ"
        reason = f"{len(changes)} {differ} from the nearest earlier key" if earlier else "never built here"
    return Explanation(stage.name, state, reason, key, earlier, changes, lost.event if lost else "",
                       lost.time if lost else 0.0, damaged)


def _earlier(graph: Graph, stage: Stage, key: str, events: list[Event]) -> Iterator[Earlier]:
    """Other keys of the stage whose fields are known: this folder's last, then the store's, the newest first."""
    times: dict[str, float] = {}
    for event in events:
        if event.event in ("built", "restored", "fetched"):
            times.pop(event.key, None)  # to the end
            times[event.key] = event.time
    record = graph.record(stage)
    own = record.get("key")
    if isinstance(own, str) and own != key and _true(own, fields_of(record)):
        yield Earlier(own, fields_of(record), True, times.get(own, 0.0))
    for other in list(reversed(times))[:MOST]:
        result = graph.store.result(other) if other not in (key, own) else None
        if result is not None and _true(other, result.fields):
            yield Earlier(other, result.fields, False, times[other])


def _true(key: str, fields: Fields) -> bool:
    """Whether the fields are those of the key: a record may come from anywhere."""
    try:
        return bool(fields) and key_of(fields) == key
    except (ValueError, RecursionError):
        return False


def _nearest(candidates: list[Earlier], fields: Fields) -> Earlier | None:
    """That with the fewest fields that differ; among equals the first."""
    return min(candidates, key=lambda one: len(differences(one.fields, fields)), default=None)


def _changes(stage: Stage, old: Fields, new: Fields) -> Iterator[Change]:
    for field, before, after in differences(old, new):
        source = stage.inputs.get(field.removeprefix("inputs.")) if field.startswith("inputs.") else None
        yield Change(field, before, after, source.stage.name if isinstance(source, Ref) else None)
