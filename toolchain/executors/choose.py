"""Which executor `toolchain=` means on this machine. `auto` takes the first that works, and says why not the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import UserError
from toolchain.executors import NAMES, Executor, Job
from toolchain.executors.host import Host
from toolchain.executors.pinned import Pinned
from toolchain.roots import Roots
from toolchain.ui import Ui

Trouble = Callable[[], "str | None"]


@dataclass(frozen=True)
class Choice:
    """An executor's name, and what the user should know of those that were passed over."""

    name: str
    passed: tuple[tuple[str, str], ...] = ()

    def notice(self) -> str:
        """One line; empty where the first choice was taken."""
        if not self.passed:
            return ""
        reasons = "; ".join(f"{name} cannot be used here ({reason})" for name, reason in self.passed)
        instead = "this machine's own tools, unpinned" if self.name == "host" else self.name
        return f"toolchain: {reasons}: using {instead}"


def pick(ci: bool, sandbox: Trouble, docker: Trouble) -> Choice:
    """What `auto` means. In CI Docker, the reference, comes first. Asks no more than it must. Pure."""
    order = [("docker", docker), ("sandbox", sandbox)] if ci else [("sandbox", sandbox), ("docker", docker)]
    passed: list[tuple[str, str]] = []
    for name, trouble in order:
        reason = trouble()
        if reason is None:
            return Choice(name, tuple(passed))
        passed.append((name, reason))
    return Choice("host", tuple(passed))


def in_ci(environ: Mapping[str, str]) -> bool:
    """Whether this is a CI machine, as all of them say it."""
    return environ.get("CI", "") not in ("", "0", "false")


def sandbox_trouble(folder: Path) -> str | None:
    """Why the sandbox cannot be used here; None when it can. `folder` is the store's."""
    from toolchain.executors.sandbox import trouble

    return trouble(folder)


def docker_trouble() -> str | None:
    """Why Docker cannot be used here; None when it can."""
    from toolchain.executors.docker import trouble

    return trouble()


def make(name: str, roots: Roots, folder: Path) -> Executor:
    """The executor of this name; `folder` is the store's."""
    if name == "sandbox":
        from toolchain.executors.sandbox import Sandbox

        return Sandbox(roots, folder)
    if name == "docker":
        from toolchain.executors.docker import Docker

        return Docker(roots, folder)
    if name == "nix":
        from toolchain.executors.nix import Nix

        return Nix(roots, folder)
    return Host()


def choose(wanted: str, roots: Roots, folder: Path, ui: Ui, environ: Mapping[str, str]) -> Executor:
    """The executor that `toolchain=wanted` asks for. Nothing is started or fetched yet."""
    if wanted == "auto":
        return Auto(roots, folder, ui, ci=in_ci(environ))
    if wanted not in NAMES:
        raise UserError(f"toolchain={wanted} is not an executor", f"use one of: auto, {', '.join(NAMES)}")
    return make(wanted, roots, folder)


class Auto(Pinned):
    """Decides when the first program is to be run: until then a root's key is all that is needed.

    Only whether there will be a root at all must be known before.
    """

    def __init__(self, roots: Roots, folder: Path, ui: Ui, *, ci: bool) -> None:
        super().__init__(roots)
        self._folder = folder
        self._ui = ui
        self._ci = ci
        self._deciding = threading.Lock()
        self._chosen: Executor | None = None
        self._notice = ""

    @property
    def name(self) -> str:
        """The chosen one's."""
        return self._chosen.name if self._chosen is not None else "auto"

    def digest(self, root: str, tools: tuple[str, ...]) -> str:
        """The root's; the host's where no executor can enter a root."""
        if self._chosen is None and sandbox_trouble(self._folder) is not None:
            self._decided()
        return self._chosen.digest(root, tools) if self._chosen is not None else super().digest(root, tools)

    def run(self, job: Job, on_line: Callable[[str], None]) -> int:
        """By the chosen one; what was passed over is said once, before the first program."""
        chosen = self._decided()
        with self._deciding:
            notice, self._notice = self._notice, ""
        if notice:
            (self._ui.warn if chosen.name == "host" else self._ui.say)(notice)
        return chosen.run(job, on_line)

    def close(self) -> None:
        """Closes the chosen one, if there is one."""
        if self._chosen is not None:
            self._chosen.close()

    def _decided(self) -> Executor:
        with self._deciding:
            if self._chosen is None:
                choice = pick(self._ci, lambda: sandbox_trouble(self._folder), docker_trouble)
                self._notice = choice.notice()
                self._chosen = make(choice.name, self.roots, self._folder)
        return self._chosen
