"""`./doit infer` and `compare`: the model in PyTorch, inside the root ml."""

from __future__ import annotations

import pytest

from tests.project import Project
from toolchain.roots.folder import RootFolder
from toolchain.store import Store, default_folder
from toolchain.ui import Ui


@pytest.fixture(scope="module")
def project(smoke_template: Project) -> Project:
    """smoke, built; what these commands read they leave as it is."""
    RootFolder(Store(default_folder()), Ui()).ensure("ml")
    return smoke_template


def test_greedy_words_are_the_engines(project: Project) -> None:
    prompt = "prompt=Once upon a time"
    ours = project.doit("infer", "image=smoke", prompt, "max_tokens=40")
    engine = project.doit("generate", "image=smoke", prompt, "tokens=40", "temp=0")
    assert ours.stdout.rstrip("\n") == engine.stdout.rstrip("\n") and len(ours.stdout) > 40


def test_compare_shows_six_strategies(project: Project) -> None:
    shown = project.doit("compare", "image=smoke", "prompt=The old man", "max_tokens=12").stdout
    for word in ("greedy", "T = 0.3", "T = 1.0", "T = 2.0", "k = 50", "p = 0.9", "distinct-2", "perplexity"):
        assert word in shown


@pytest.mark.parametrize("words, what", [
    (["infer"], "infer needs a prompt"), (["compare"], "compare needs a prompt"),
    (["infer", "prompt=x", "max_tokens=0"], "max_tokens=0"), (["infer", "prompt=x", "strategi=greedy"], "strategy"),
    (["infer", "prompt=x", "strategy=top_k", "k=-1"], "a strategy cannot be"),
    (["plots", f"prompt={'x' * 65}"], "the prompt has 65 tokens"),
    (["infer", "prompt=x", "image=stories260k"], "image=stories260k trains no model"),
    (["compare", "prompt=x", "image=stories260k"], "image=stories260k trains no model"),
    (["demo", "image=stories260k"], "image=stories260k trains no model"),
])
def test_what_cannot_be(words: list[str], what: str, project: Project) -> None:
    said = project.doit("image=smoke", *words, status=None)
    assert said.returncode != 0 and what in said.stderr and "hint: " in said.stderr and "Traceback" not in said.stderr
