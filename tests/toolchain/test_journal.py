"""The journal: many writers, torn lines, lines that say anything."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain.journal import Event, Journal, totals

KEY = "ab" * 32


def test_events_come_back_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "deep/journal.jsonl")
    assert journal.events() == []
    journal.add("built", KEY, "train", 1.5, 7)
    journal.add("evicted", KEY, "train")
    first, second = journal.events()
    assert (first.event, first.key, first.stage, first.seconds, first.size) == ("built", KEY, "train", 1.5, 7)
    assert second.event == "evicted" and 0 < first.time <= second.time
    line = json.loads(journal.path.read_text().splitlines()[0])
    assert set(line) == {"time", "event", "key", "stage", "seconds", "size"}


def test_a_torn_last_line_is_skipped_and_spoils_no_other(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.add("built", KEY, "one")
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + whole[:40])
    assert [event.stage for event in journal.events()] == ["one"]
    journal.add("built", KEY, "two")
    assert [event.stage for event in journal.events()] == ["one", "two"]


def write(path: Path, name: str) -> None:
    for number in range(300):
        Journal(path).add("built", KEY, f"{name}{number}", 1.0, 1)


def test_processes_that_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write, args=(path, name)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stages = [event.stage for event in Journal(path).events()]
    assert sorted(stages) == sorted(f"{name}{number}" for name in "abc" for number in range(300))


@pytest.mark.parametrize("change", [
    {"event": "bought"}, {"event": 3}, {"key": "../x"}, {"key": KEY.upper()}, {"time": "x"}, {"time": -1},
    {"time": 1e300}, {"seconds": None}, {"seconds": float("nan")}, {"size": float("inf")}, {"size": -1},
    {"size": 10**400}, {"stage": "x" * 3000}])
def test_lines_that_are_no_events(tmp_path: Path, change: dict[str, object]) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.add("built", KEY, "good")
    line = json.loads(journal.path.read_text())
    with journal.path.open("a") as file:
        file.write(json.dumps({**line, **change}) + "\n")
    assert [event.stage for event in journal.events()] == ["good"]


@given(st.lists(st.binary(max_size=60)))
def test_any_bytes_can_be_read(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    journal = Journal(tmp_path_factory.mktemp("journal") / "j")
    journal.path.write_bytes(b"\n".join([*lines, b"[" * 1500, b"{}", b"[]", b"3"]))
    assert journal.events() == []


def test_only_the_newest_part_of_a_long_journal_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolchain.journal.MOST_BYTES", 1000)
    journal = Journal(tmp_path / "journal.jsonl")
    for number in range(50):
        journal.add("built", KEY, f"stage{number}")
    stages = [event.stage for event in journal.events()]
    assert 1 < len(stages) < 10 and stages == [f"stage{number}" for number in range(50 - len(stages), 50)]


def test_a_journal_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    Journal(tmp_path / "file/journal.jsonl").add("built", KEY, "one")
    (tmp_path / "folder").mkdir()
    Journal(tmp_path / "folder").add("built", KEY, "one")


def test_totals() -> None:
    events = [Event(10, "built", KEY, "a", 5), Event(20, "restored", KEY, "a", 5), Event(30, "fetched", KEY, "b", 2),
              Event(40, "evicted", KEY, "a", 9), Event(50, "restored", KEY, "b", 2)]
    sums = totals(events)
    assert (sums.built, sums.restored, sums.fetched, sums.saved, sums.rate) == (1, 2, 1, 9, 0.75)
    assert totals(events, since=45).rate == 1
    assert totals(events, since=60).rate is None
