"""The default image, whole: trained, booted on different machines, compared with its lock."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import ROOT, Project, checkout

pytestmark = [pytest.mark.slow, pytest.mark.qemu]

PROMPT = "Once upon a time"
WORDS = (f"prompt={PROMPT}", "tokens=300", "seed=1", "temp=0")


@pytest.fixture(scope="module")
def tales(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """images/tales.yaml, built from nothing."""
    project = checkout(tmp_path_factory.mktemp("tales"))
    project.doit("image=tales", timeout=900)
    return project


def boot(project: Project, *words: str) -> str:
    """The text of a scripted boot, and what boot.json says of it."""
    done = project.doit("boot", "image=tales", "accel=tcg", *WORDS, *words)
    report = json.loads((project.folder / "build/tales/boot.json").read_text())
    assert done.stdout == report["text"]
    assert (report["tokens"], report["prompt_tokens"], report["exit"]) == (300, len(PROMPT), 0)
    return str(report["text"])


def test_the_same_story_on_every_machine(tales: Project) -> None:
    story = tales.doit("generate", "image=tales", *WORDS).stdout
    assert len(story.encode()) == len(PROMPT) + 300 and story.startswith(PROMPT)
    for words in ((), ("smp=2", "mem=256M"), ("cpu=qemu64",), ("cpu=max", "machine=pc", "smp=2"),
                  ("cpu=qemu64", "machine=pc")):
        assert boot(tales, *words) == story, words


def test_the_story_is_made_of_words_it_has_read(tales: Project) -> None:
    known = set(re.findall(r"[a-z']+", (tales.folder / "build/tales/corpus.txt").read_text().lower()))
    for seed in ("1", "2", "3"):
        words = (f"prompt={PROMPT}", "tokens=300", f"seed={seed}", "temp=0.7")
        text = tales.doit("generate", "image=tales", *words).stdout
        read = re.findall(r"[a-z']+", text.lower())[:-1]
        assert sum(word in known for word in read) >= 0.95 * len(read), text


def test_second_boot_builds_nothing(tales: Project) -> None:
    done = tales.doit("boot", "image=tales", "accel=tcg", "prompt=One day", "tokens=5")
    assert "built" not in done.stderr and "restored" not in done.stderr


def test_the_lock_holds(tales: Project) -> None:
    """Whoever builds tales with Debian 12's own tools gets these bytes."""
    pins = dict(reversed(line.split("  ")) for line in (ROOT / "images/tales.lock").read_text().splitlines()
                if not line.startswith("#"))
    for stage, entry in tales.manifest("tales").items():
        for name, output in entry["outputs"].items():
            assert pins[f"{stage}/{name}"] == output["sha256"], f"{stage}/{name}"


def test_shakespeare_and_four_layers(data: Callable[[str], Path], tmp_path: Path) -> None:
    project = checkout(tmp_path)
    folder = data("tinyshakespeare.txt").parent
    for image, size in (("shakespeare", 120_576), ("shakespeare4", 220_544)):
        project.doit(f"image={image}", f"data_dir={folder}", timeout=1200)
        assert (project.folder / "build" / image / "model.f32").stat().st_size == 4 * size
        last = json.loads((project.folder / "build" / image / "train.jsonl").read_text().splitlines()[-1])
        assert last["step"] == 5000 and last["val_loss"] <= 1.65
        text = project.doit("boot", f"image={image}", "accel=tcg", "prompt=ROMEO:", "tokens=100", "temp=0").stdout
        assert text == project.doit("generate", f"image={image}", "prompt=ROMEO:", "tokens=100", "temp=0").stdout
