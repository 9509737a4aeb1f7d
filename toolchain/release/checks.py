"""What speaks against a release. All of it is said at once; force=1 makes it anyway, and the provenance tells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolchain.errors import UserError
from toolchain.release.git import Tree, dirty

_SHOWN = 3  # names in one line


@dataclass(frozen=True)
class Refusal:
    """One thing that is wrong, in one line, and what to do about it."""

    what: str
    remedy: str
    real: bool = True  # about the release itself; false: only about where it would lie


@dataclass(frozen=True)
class Situation:
    """All that the checks look at."""

    image: str
    version: str
    unpinned: tuple[str, ...]  # the stages whose results come from this machine's own tools
    tree: Tree
    inputs: frozenset[str]  # the files of the checkout that the image is made from
    changelog: str
    pins: Mapping[str, str]  # images/NAME.lock, `stage/output` -> sha256; empty where there is none
    made: Mapping[str, str]  # what was built, likewise; empty before the build
    known: frozenset[str]  # every `stage/output` that the graph has


def refusals(now: Situation) -> list[Refusal]:
    """What speaks against this release."""
    return [*_unpinned(now), *_dirty(now), *_changelog(now), *_lock(now)]


def refuse(found: Sequence[Refusal]) -> None:
    """Raises the one error that lists them all."""
    if not found:
        return
    if len(found) == 1 and not found[0].real:
        raise UserError(found[0].what, found[0].remedy)
    lines = [f"{number}. {one.what}: {one.remedy}" for number, one in enumerate(found, 1)]
    raise UserError("this cannot be released:\n" + "\n".join(lines),
                    "force=1 releases it all the same, and its provenance.json says so")


def unpinned(entries: Mapping[str, Any]) -> tuple[str, ...]:
    """The stages of a manifest that were made with tools that nothing pins."""
    return tuple(name for name, entry in entries.items() if not entry["pinned"] or entry["executor"] == "host")


def has_entry(changelog: str, version: str) -> bool:
    """Whether CHANGELOG.md has a heading `## VERSION`; a date or a remark may follow it."""
    return re.search(rf"^## {re.escape(version)}(?: .*)?$", changelog, re.M) is not None


def _unpinned(now: Situation) -> Iterable[Refusal]:
    if now.unpinned:
        yield Refusal(f"not pinned, made with this machine's own tools (toolchain=host): {_names(now.unpinned)}",
                      "build in Docker or the sandbox (./doit doctor says what they lack)")


def _dirty(now: Situation) -> Iterable[Refusal]:
    if now.tree.trouble:
        remedy = ("see who owns it; git config --global --add safe.directory FOLDER trusts it all the same"
                  if "dubious ownership" in now.tree.trouble else "release from a git checkout")
        yield Refusal(f"no commit to name: {_shown(now.tree.trouble)}", remedy)
        return
    files = dirty(now.tree, now.inputs)
    if files:
        yield Refusal(f"the tree is dirty, not as in its last commit: {_names(files)}", "commit, or restore them")


def _changelog(now: Situation) -> Iterable[Refusal]:
    if not has_entry(now.changelog, now.version):
        yield Refusal(f"CHANGELOG.md says nothing of {now.version}", f"write an entry under ## {now.version}")


def _lock(now: Situation) -> Iterable[Refusal]:
    if not now.pins:
        return
    wrong = sorted(name for name in now.made if now.pins.get(name) != now.made[name])
    gone = sorted(name for name in now.pins if name not in now.known)
    lock = f"images/{now.image}.lock"
    remedy = f"find out why, or pin anew: ./doit lock image={now.image}"
    if wrong:
        yield Refusal(f"{lock} pins something else than was built: {_names(wrong)}", remedy)
    if gone:
        yield Refusal(f"{lock} pins what no stage makes: {_names(gone)}", remedy)


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(_shown(name) for name in names[:_SHOWN]) + more


def _shown(name: str) -> str:
    """A file's name on one line, whatever it holds."""
    return "".join(char if char.isprintable() else "·" for char in name)
