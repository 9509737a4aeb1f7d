"""The page of ./doit validate, what the command refuses, and the curve of ./doit demo."""

from __future__ import annotations

import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from model.validate.goals import BOOTED, RUNGS, STORIES
from tests.project import Project
from toolchain.commands.demo import curve
from toolchain.roots.folder import RootFolder
from toolchain.store import Store, default_folder
from toolchain.ui import Ui
from toolchain.validation.chart import chart
from toolchain.validation.data import FILES
from toolchain.validation.page import page

RUNG: dict[str, Any] = {
    "name": "gradients", "what": "a <b> & c", "goal": "12 of 12", "measured": "3 of 12", "passed": False,
    "seconds": 75.3,
    "charts": [{"across": "steps", "up": "loss", "lines": {"<script>": [[1, 4.0], [2, 2.0], [3, 1.0]]}}],
    "said": ["<i>said</i>"]}


class Reader(HTMLParser):
    """Notes tags, and fails on what could run or be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert tag not in ("script", "img", "link", "iframe", "b", "i")
        for name, value in attrs:
            assert not name.startswith("on") and (name != "href" or (value or "").startswith("#"))


def test_the_page_is_whole_and_escapes_what_it_is_told() -> None:
    text = page([RUNG, {**RUNG, "name": "memorise", "passed": True}], {"nano": "no <file>"})
    reader = Reader()
    reader.feed(text)
    assert reader.tags.count("svg") == 2 and reader.tags.count("section") == 3
    assert "1 of 2 rungs" in text and "missed" in text and "no &lt;file&gt;" in text and "1 min 15 s" in text
    assert "$" not in text and "prefers-color-scheme: dark" in text and 'name="viewport"' in text


def test_a_chart_stays_in_its_frame() -> None:
    for line in ([(0.0, 1.0)], [(0.0, 5.0), (0.0, 5.0)], [(float(x), -1e9 * x) for x in range(5000)]):
        found = chart("x", "y", {"one": line, "none": []})
        numbers = [tuple(map(float, pair.split(","))) for points in re.findall(r'points="([^"]+)"', found)
                   for pair in points.split()]
        assert numbers and all(0 <= x <= 640 and 0 <= y <= 340 for x, y in numbers)
    assert chart("x", "y", {"none": []}) == ""


def test_pins_are_those_of_the_files_at_hand(data: Any) -> None:
    folder = data("the-verdict.txt").parent
    for name, download in FILES.items():
        content = (folder / download.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == download.sha256 and len(content) == download.size, name


def test_every_file_that_a_rung_needs_can_be_had() -> None:
    assert {need for rung in RUNGS for need in rung.needs} <= {*FILES, *STORIES, "train", "ingot"}


@pytest.mark.slow
def test_a_model_is_trained_booted_and_compared(smoke: Project) -> None:
    RootFolder(Store(default_folder()), Ui()).ensure("ml")
    recipe = f"images/{BOOTED}.yaml"
    for old, new in (("steps: 1000", "steps: 20"), ("warmup: 50", "warmup: 5"), ("bytes: 4000000", "bytes: 200000")):
        smoke.edit(recipe, old, new)
    done = smoke.doit("validate", "rung=stories", status=1)
    found, = json.loads((smoke.folder / "build/validate/validate.json").read_text())["rungs"]
    assert found["measured"].startswith("3 of 3") and not found["passed"] and "MISSED" in done.stdout  # 20 steps


def test_an_image_that_cannot_be_booted(smoke: Project) -> None:
    smoke.edit(f"images/{BOOTED}.yaml", "title:", "titel:")
    done = smoke.doit("validate", "rung=stories", status=1)
    assert done.stderr.splitlines()[-2:] == [f"error: the image {BOOTED} could not be booted",
                                             "hint: the lines above say why"]


@pytest.mark.parametrize("words, said", [
    (["validate", "rung=gradient"], "did you mean gradients?"),
    (["validate", "rung=nano", "data_dir=/nowhere"], "data_dir=/nowhere is not a folder"),
])
def test_refusals(words: list[str], said: str, smoke: Project) -> None:
    done = smoke.doit(*words, status=1)
    assert said in done.stderr and "Traceback" not in done.stderr and not Path(smoke.folder, "build/validate").exists()


def test_a_curve_of_blocks() -> None:
    assert curve([(1, 8.0), (2, 1.0)], 2) == "█▁" and curve([(1, 3.0)], 4) == "▁▁▁▁"
    falling = curve([(step, 100.0 - step) for step in range(100)], 8)
    assert len(falling) == 8 and sorted(falling, reverse=True) == list(falling) and falling[0] == "█"
