"""`./doit explain STAGE [json=1]`: which fields of the stage's key differ from the nearest earlier one."""

from __future__ import annotations

import difflib
import json
import os
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from toolchain.commands import IngotCommand
from toolchain.errors import UserError, meant
from toolchain.plugin import Session

if TYPE_CHECKING:
    from toolchain.explain import Change, Explanation
    from toolchain.stage import Stage

VARIABLES = {"json": "explain: 1 prints one JSON object, all values in full"}
_STYLES = {"run": "yellow", "wait": "yellow", "restore": "cyan", "fresh": "green"}
_SHORT = 12  # characters of a hash
_LONG = 160  # characters of any other value
_ROWS = 100


class Explain(IngotCommand):
    """Looks, and changes nothing."""

    name = "explain"
    doc_purpose = "show which fields of a stage's key differ from the nearest earlier one"
    doc_usage = "STAGE [json=1]"
    takes_names = True

    def go(self, current: Session, names: list[str]) -> int:
        """A table on stdout, or JSON and nothing else."""
        from toolchain.explain import explain

        if len(names) != 1:
            raise UserError("explain needs the name of one stage", "./doit list --all names them")
        found = explain(current.graph, _stage(current, names[0]))
        if current.get("json", "0") not in ("", "0"):
            print(json.dumps(found.as_json(), indent=1))
        else:
            _show(found)
        return 0


def _stage(current: Session, name: str) -> Stage:
    stages = current.graph.stages
    if name in stages:
        return stages[name]
    hint = meant(name, stages)
    group = [stage for stage in stages if stage.startswith(f"{name}:")]
    if group:
        hint = f"it is a group of {len(group)} stages, {group[0]} for one; "
    raise UserError(f"there is no stage {name}", f"{hint}./doit list --all names them")


# -- for people ------------------------------------------------------------------------------------


def _show(found: Explanation) -> None:
    """The stage that is waited for comes first: it is the reason."""
    from rich.console import Console
    from rich.table import Table

    from toolchain.errors import typed

    console = Console(highlight=False, markup=False)

    def say(text: str, style: str | None = None) -> None:
        console.print(clean(text), style=style, soft_wrap=True)

    if found.waits_for is not None:
        _show(found.waits_for)
        console.print()
    when = f" ({_date(found.lost_at)})" if found.lost else ""
    say(f"{found.stage}: {found.state}: {found.reason}{when}", _STYLES[found.state])
    if found.key is not None:
        say(f"key      {found.key}")
    if found.damaged and found.state == "fresh":
        say(f"in the store its blobs are damaged: {', '.join(found.damaged)}", "yellow")
    if found.earlier is None:
        if found.key is not None and found.state != "run":
            say("no other key of this stage is known")
        return
    where = "in this folder" if found.earlier.here else "in the store"
    date = f", {_date(found.earlier.time)}" if found.earlier.time else ""
    say(f"earlier  {found.earlier.key} ({where}{date})")
    table = Table("", "", "earlier", "now", box=None, header_style="bold", padding=(0, 2, 0, 0))
    rows = [row for change in found.changes for row in rows_of(change)]
    for kind, name, old, new in rows[:_ROWS]:
        table.add_row(kind, *(clean(text) for text in (name, old, new)))
    console.print(table)
    if len(rows) > _ROWS:
        say(f"and {len(rows) - _ROWS} more: json=1 shows them all")
    for stage in dict.fromkeys(change.stage for change in found.changes if change.stage):
        say(typed(f"{stage} gave something else: ./doit explain {stage}"))


def rows_of(change: Change) -> Iterator[tuple[str, str, str, str]]:
    """Kind, name, old and new value, as short as can be; lists of words (argv) only where they differ."""
    kind, _, name = change.field.partition(".")
    kind = {"inputs": "file", "params": "parameter", "outputs": "output"}.get(kind, kind)
    if change.stage:
        name += f" (from {change.stage})"
    if _words(change.old) and _words(change.new):
        for flag, old, new in _spans(change.old, change.new):
            yield kind, flag, *pair(old, new)
    else:
        yield kind, name, *pair(change.old, change.new)


def _words(value: Any) -> bool:
    return isinstance(value, list) and len(value) < 2000 and all(isinstance(word, str) for word in value)


def _spans(old: list[str], new: list[str]) -> Iterator[tuple[str, str | None, str | None]]:
    """Where the words differ, each with the option before it."""
    for how, start, end, begin, stop in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if how == "equal":
            continue
        flag = new[begin - 1] if begin and new[begin - 1].startswith("-") else ""
        yield flag, " ".join(old[start:end]) or None, " ".join(new[begin:stop]) or None


def pair(old: Any, new: Any) -> tuple[str, str]:
    """Two values as text, hashes cut short where they still differ; a dash for what is not there."""
    texts = ["—" if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)
             for value in (old, new)]
    hashes = [one for text in texts for one in re.findall("[0-9a-f]{64}", text)]
    length = next((length for length in range(_SHORT, 64)
                   if len({one[:length] for one in hashes}) == len(set(hashes))), 64)
    before, after = (re.sub("[0-9a-f]{64}", lambda found: found[0][:length], text) for text in texts)
    if max(len(before), len(after)) <= _LONG:
        return before, after
    same = len(os.path.commonprefix([before, after]))
    start = max(0, min(same, max(len(before), len(after)) - _LONG) - 20)
    return _cut(before, start), _cut(after, start)


def _cut(text: str, start: int) -> str:
    end = start + _LONG
    return ("…" if start else "") + text[start:end] + ("…" if len(text) > end else "")


def clean(text: str) -> str:
    """Nothing that would move a terminal's cursor: a record may come from anywhere."""
    return "".join(char if char.isprintable() else "·" for char in text)


def _date(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
