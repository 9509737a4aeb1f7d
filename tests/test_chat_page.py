"""docs/chat.md names every command with its argument and every name of the settings file, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from tests import cbuild
from tests.host.conftest import Run, ingot, run, tiny  # noqa: F401  (fixtures)
from tests.project import ROOT

PAGE = (ROOT / "docs/chat.md").read_text(encoding="utf-8")


def test_every_command_is_there(run: Run, tiny: Path) -> None:  # noqa: F811
    said = run(tiny, "--chat", stdin=b"/help\r").stdout.decode().splitlines()
    column = next(line.index("this list") for line in said if line.startswith("  /help "))
    commands = [line[3:column].rstrip() for line in said if line.startswith("  /")]
    assert all(line[column - 1] == " " and line[column] != " " for line in said if line.startswith("  /"))
    rows = re.findall(r"^\| `/((?:[^`|]|\\\|)+)` \| \S", PAGE, re.M)
    assert [row.replace("\\|", "|") for row in rows] == commands
    assert len(commands) > 25


def test_every_name_of_the_settings_file_is_there(run: Run, tiny: Path, tmp_path: Path) -> None:  # noqa: F811
    (names,) = re.findall(r"The names are those of the commands: (.*?)\(the one", PAGE, re.S)
    named = re.findall(r"`(\w+)`", names)
    settings = re.findall(r'^    \{"(\w+)",', (cbuild.SOURCES / "engine/settings.c").read_text(), re.M)
    assert named == [*settings, "stats", "attn", "model"]


def test_the_example_is_read(run: Run, tiny: Path, tmp_path: Path) -> None:  # noqa: F811
    (example,) = re.findall(r"^```\n(# ingot.cfg\n.*?)^```", PAGE, re.M | re.S)
    (tmp_path / "ingot.cfg").write_text(example)
    said = run(tiny, "--chat", stdin=b"/temp\r/top_p\r/max_tokens\r/stats\r", cwd=tmp_path).stdout.decode()
    assert re.findall(r"\n(\w+=\S+)\n", said) == ["temp=0.7", "top_p=0.95", "max_tokens=400", "stats=off"]
    assert said.startswith("[cpu]")
