"""bench/engine.py measures all that it says, on a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import engine
from tests.host.conftest import ingot  # noqa: F401
from tests.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.qemu]


def test_quick(smoke: Project, tmp_path: Path, ingot: Path, monkeypatch: pytest.MonkeyPatch,  # noqa: F811
               capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(smoke.cache))
    monkeypatch.setattr(engine, "ROOT", smoke.folder)
    monkeypatch.setattr(engine, "PLACE", tmp_path)
    monkeypatch.setattr(engine, "INGOT", ingot)
    engine.main(["--quick", "--markdown", "--json", str(tmp_path / "found.json")])
    found = json.loads((tmp_path / "found.json").read_text())
    kinds = [(row["type"], row["threads"]) for row in found["host"]]
    assert kinds == [("Q8_0", 1), ("Q8_0", 2), ("F32", 1), ("F32", 2)]
    assert all(row["tok_s"] > 0 and row["prefill_tok_s"] > 0 for row in found["host"])
    assert [("llama_cpp_tok_s" in row) for row in found["host"]] == [found["llama_cpp"] is not None] * 4
    assert [row["type"] for row in found["booted"]] == ["Q8_0", "F32"]
    assert {(row["cpu"], row["checked"]) for row in found["load"]} == {(cpu, checked) for cpu in ("max", "qemu64")
                                                                       for checked in (True, False)}
    shown = capsys.readouterr().out
    assert shown.count("| --- |") == 3
    assert all(len(line.split("|")) == 10 for line in shown.splitlines() if line.startswith("| quick Q8_0, "))
