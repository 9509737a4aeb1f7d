"""What a training log says: its records, and the table of losses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.program import InputError

SPAN = 1000  # steps of a row


@dataclass(frozen=True)
class Record:
    """A line of train.jsonl: the losses are in nats a token; val_loss only where it was evaluated."""

    step: int
    loss: float
    lr: float
    val_loss: float | None


@dataclass(frozen=True)
class Row:
    """The steps from `first` to `last`; the held-out loss is the last one evaluated among them."""

    first: int
    last: int
    mean: float
    lowest: float
    val_loss: float | None


def read_log(train_jsonl: Path) -> list[Record]:
    """The log's records, by step. Raises InputError, naming file and line, or OSError."""
    records: list[Record] = []
    for number, line in enumerate(train_jsonl.read_text("utf-8").splitlines(), start=1):
        try:
            item = json.loads(line)
            val_loss = item.get("val_loss")
            record = Record(int(item["step"]), float(item["loss"]), float(item["lr"]),
                            None if val_loss is None else float(val_loss))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _damaged(f"{train_jsonl}:{number}: not a record with step, loss and lr") from error
        if records and record.step <= records[-1].step:
            raise _damaged(f"{train_jsonl}:{number}: step {record.step} after step {records[-1].step}")
        records.append(record)
    if not records:
        raise _damaged(f"{train_jsonl}: has no records")
    return records


def loss_table(train_jsonl: Path) -> list[Row]:
    """A row for each 1,000 steps (1 to 1,000, and so on) that the log speaks of. Raises as read_log does."""
    spans: dict[int, list[Record]] = {}
    for record in read_log(train_jsonl):
        spans.setdefault(max(record.step - 1, 0) // SPAN, []).append(record)
    rows = []
    for span, records in sorted(spans.items()):
        losses = [record.loss for record in records]
        evaluated = [record.val_loss for record in records if record.val_loss is not None]
        rows.append(Row(
            first=span * SPAN + 1,
            last=min((span + 1) * SPAN, records[-1].step) if span == max(spans) else (span + 1) * SPAN,
            mean=sum(losses) / len(losses),
            lowest=min(losses),
            val_loss=evaluated[-1] if evaluated else None,
        ))
    return rows


def table(folder: Path) -> Any:
    """The loss table of folder/train.jsonl, for rich to draw. Raises as read_log does."""
    from rich.table import Table

    drawn = Table("steps", box=None, header_style="bold", padding=(0, 2))
    for title in ("mean loss", "lowest", "held out"):
        drawn.add_column(title, justify="right")
    for row in loss_table(folder / "train.jsonl"):
        held_out = "" if row.val_loss is None else f"{row.val_loss:.4f}"
        drawn.add_row(f"{row.first:,} to {row.last:,}", f"{row.mean:.4f}", f"{row.lowest:.4f}", held_out)
    return drawn


def _damaged(what: str) -> InputError:
    return InputError(what, "train again to make a new log")
