"""What speaks against a release: each alone, all at once, and git's own view of a tree."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain.errors import UserError
from toolchain.release import checks
from toolchain.release.checks import Situation
from toolchain.release.git import Tree, look

ZERO, ONE = "0" * 64, "1" * 64
GOOD = Situation(image="a", version="1.0", unpinned=(), tree=Tree("c" * 40, 7, tracked=frozenset({"x.c", "dodo.py"})),
                 inputs=frozenset({"x.c", "dodo.py"}), changelog="# Changelog\n\n## 1.0 (2026-11-21)\n",
                 pins={"link/E": ZERO}, made={"link/E": ZERO}, known=frozenset({"link/E", "host/ingot"}))
TREE = GOOD.tree
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "host": ({"unpinned": ("train", "link")}, "not pinned, .*host.*: train, link"),
    "no git": ({"tree": Tree(trouble="not a git repository")}, "no commit to name: not a git repository"),
    "changed": ({"tree": replace(TREE, changed=("README.md",))}, "dirty.*README.md"),
    "hidden": ({"tree": replace(TREE, hidden=("x.c",))}, "dirty.*x.c"),
    "untracked": ({"inputs": frozenset({"x.c", "new.c"})}, "dirty.*new.c"),
    "no entry": ({"version": "1.1"}, "CHANGELOG.md says nothing of 1.1"),
    "no changelog": ({"changelog": ""}, "CHANGELOG.md says nothing of 1.0"),
    "other bytes": ({"made": {"link/E": ONE}}, "a.lock pins something else than was built: link/E"),
    "not pinned yet": ({"made": {"link/E": ZERO, "new/o": ZERO}}, "a.lock pins something else than was built: new/o"),
    "pinned and gone": ({"pins": {"link/E": ZERO, "old/o": ZERO}}, "a.lock pins what no stage makes: old/o"),
}


def test_nothing_speaks_against_a_good_one() -> None:
    assert checks.refusals(GOOD) == []
    checks.refuse([])


@pytest.mark.parametrize("name", WRONG)
def test_each_alone(name: str) -> None:
    import re

    change, what = WRONG[name]
    found = checks.refusals(replace(GOOD, **change))
    assert len(found) == 1 and re.search(what, found[0].what) and found[0].remedy
    with pytest.raises(UserError, match=what):
        checks.refuse(found)


def test_a_folder_of_another_owner() -> None:
    """git refuses to look; that this is no repository would be wrong."""
    trouble = "detected dubious ownership in repository at '/x'"
    found = checks.refusals(replace(GOOD, tree=Tree(trouble=trouble)))
    assert trouble in found[0].what and "git config --global --add safe.directory" in found[0].remedy


def test_force_is_not_the_way_to_replace_a_release() -> None:
    """Alone, it is refused without a word of force=1: that would let everything else pass as well."""
    there = checks.Refusal("dist/a-1 is there already", "delete it, or choose another version=", real=False)
    with pytest.raises(UserError) as caught:
        checks.refuse([there])
    assert (caught.value.what, caught.value.hint) == (there.what, there.remedy)
    with pytest.raises(UserError, match="there already") as caught:
        checks.refuse([there, *checks.refusals(replace(GOOD, changelog=""))])
    assert "force=1" in caught.value.hint


@given(st.sets(st.sampled_from(["host", "untracked", "no changelog", "other bytes"])))
def test_all_at_once(names: set[str]) -> None:
    """Any of them together are all listed, numbered."""
    now = replace(GOOD, **{key: value for name in names for key, value in WRONG[name][0].items()})
    found = checks.refusals(now)
    assert len(found) == len(names)
    if found:
        with pytest.raises(UserError) as caught:
            checks.refuse(found)
        assert caught.value.what.count("\n") == len(names) and f"{len(names)}. " in caught.value.what
        assert "force=1" in caught.value.hint


@pytest.mark.parametrize("pins", [{}, {"link/E": ZERO, "host/ingot": ONE}])
def test_no_lock_and_pins_of_other_stages_are_fine(pins: dict[str, str]) -> None:
    assert checks.refusals(replace(GOOD, pins=pins)) == []


@pytest.mark.parametrize(("heading", "found"), [
    ("## 1.0", True), ("## 1.0 (unreleased)", True), ("## 1.0.1", False), ("## 11.0", False), ("### 1.0", False),
    (" ## 1.0", False), ("## v1.0", False), ("see ## 1.0", False), ("## 1x0", False)])
def test_headings(heading: str, found: bool) -> None:
    assert checks.has_entry(f"# Changelog\n\n{heading}\n\n- text\n", "1.0") is found


def test_many_names_are_cut_and_no_name_breaks_the_line() -> None:
    found = checks.refusals(replace(GOOD, unpinned=tuple(f"s{n}" for n in range(9))))
    assert "s0, s1, s2 and 6 more" in found[0].what
    found = checks.refusals(replace(GOOD, tree=replace(TREE, changed=("a\n\x1b[31m",))))
    assert "a··[31m" in found[0].what


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words], cwd=folder,
                          check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    for name in ("a.c", "b ü.c", ".gitignore"):
        (tmp_path / name).write_text("ignored\n")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "x")
    return tmp_path


def test_a_clean_tree(tree: Path) -> None:
    found = look(tree)
    assert found.commit == git(tree, "rev-parse", "HEAD") and found.time and not found.trouble
    assert found.tracked == {"a.c", "b ü.c", ".gitignore"} and found.changed == found.hidden == ()
    (tree / "ignored").write_text("x")
    (tree / "untracked").write_text("x")
    assert look(tree) == found


def test_changed_staged_removed_renamed(tree: Path) -> None:
    (tree / "b ü.c").write_text("other")
    assert look(tree).changed == ("b ü.c",)
    git(tree, "add", "--all")
    assert look(tree).changed == ("b ü.c",)
    git(tree, "mv", "a.c", "c.c")
    assert look(tree).changed == ("a.c", "b ü.c", "c.c")
    (tree / ".gitignore").unlink()
    assert ".gitignore" in look(tree).changed


@pytest.mark.parametrize("word", ["--assume-unchanged", "--skip-worktree"])
def test_what_git_was_told_not_to_see(tree: Path, word: str) -> None:
    git(tree, "update-index", word, "a.c")
    (tree / "a.c").write_text("other")
    assert look(tree).hidden == ("a.c",)


def test_where_there_is_no_commit(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("empty")
    assert "not a git repository" in look(empty).trouble
    git(empty, "init", "--quiet")
    assert look(empty).trouble
    (tree / "inner").mkdir()
    assert "begins above" in look(tree / "inner").trouble


def test_without_git(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tree))
    assert look(tree).trouble == "git is not on this machine"
