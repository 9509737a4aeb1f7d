"""What the doctor looks at besides accelerators: the executors, the roots, QEMU, this machine's own tools."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain.errors import UserError
from toolchain.executors.choose import pick
from toolchain.executors.host import find
from toolchain.packages import NEEDS, Need, install_hint
from toolchain.qemu.diagnose import Finding
from toolchain.roots.folder import RootFolder
from toolchain.stage import Stage

if TYPE_CHECKING:
    from toolchain.qemu import binary

# Settings of the kernel that forbid user namespaces: the value that does, and the one that does not.
_SWITCHES = (("kernel.unprivileged_userns_clone", "0", "1"), ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
             ("user.max_user_namespaces", "0", "10000"))


@dataclass(frozen=True)
class Line:
    """One line of the doctor's list; `stops`: builds or boots fail for it."""

    found: Finding
    stops: bool = False


def executors(trouble: Mapping[str, str | None], mend: Mapping[str, str], wanted: str, ci: bool,
              ) -> tuple[str, list[Line]]:
    """The executor that toolchain=`wanted` means here, and a line for it and each that enters a root. Pure."""
    chosen = pick(ci, lambda: trouble["sandbox"], lambda: trouble["docker"]).name if wanted == "auto" else wanted
    usable = trouble.get(chosen) is None
    detail = f"toolchain={wanted} is {chosen}" if chosen != wanted else f"toolchain={wanted}"
    if chosen == "host":
        detail += ": this machine's own tools, unpinned"
    ok = usable and (chosen != "host" or wanted == "host")
    first = Finding("toolchain", ok, detail, "" if ok else "mend one of the next")
    return chosen, [Line(first, stops=not usable), *(
        Line(Finding(name, reason is None, reason or "stages can be run in it", mend[name] if reason else ""))
        for name, reason in trouble.items())]


def sandbox_mend(settings: Mapping[str, str], container: bool) -> str:
    """What lets bubblewrap work on a machine with these settings of the kernel. Pure."""
    if container:
        return "start the container with --security-opt seccomp=unconfined --security-opt systempaths=unconfined"
    for name, bad, good in _SWITCHES:
        if settings.get(name) == bad:
            return f"sudo sysctl -w {name}={good}"
    return "a Linux on x86-64 with user namespaces has it"


def this_sandbox_mend() -> str:
    """`sandbox_mend` for this machine."""
    files = {name: Path("/proc/sys", *name.split(".")) for name, _, _ in _SWITCHES}
    settings = {name: file.read_text().strip() for name, file in files.items() if file.exists()}
    return sandbox_mend(settings, Path("/.dockerenv").exists() or Path("/run/.containerenv").exists())


def root(roots: RootFolder, name: str, use: str = "builds use it") -> tuple[Path | None, Line]:
    """Where a toolchain root lies, None where it has not been fetched yet, and its line."""
    try:
        found = roots.look(name)
    except UserError as exc:
        return None, Line(Finding(name, False, exc.what, exc.hint), stops=True)
    detail = f"{use}: {'fetched' if found else 'not fetched yet, ./doit toolchain {name} does it now'}"
    return found.path if found else None, Line(Finding(name, True, detail))


def own_qemu() -> tuple[binary.Qemu | None, list[Line]]:
    """This machine's QEMU and firmware, for where no root's will do."""
    from toolchain.qemu import binary, firmware

    try:
        qemu = binary.find()
    except UserError as exc:
        return None, [Line(Finding("qemu", False, exc.what, exc.hint), stops=True)]
    try:
        code = f"boots use {firmware.find(qemu, 'q35').code}"
    except UserError:
        code = "boots use the toolchain's: this machine has none"
    return qemu, [Line(Finding("qemu", True, f"boots use {qemu.path}")), Line(Finding("ovmf", True, code))]


def tools(present: Callable[[Need], bool], chosen: str) -> list[Line]:
    """What the tests need of this machine, and builds too where they run on the host."""
    lines = []
    for need in NEEDS:
        there, builds = present(need), need.build and chosen == "host"
        mend = "" if there else install_hint([need])
        found = Finding(need.what, there, f"{need.use} ({'builds, tests' if builds else 'tests'})", mend)
        lines.append(Line(found, stops=builds and not there))
    return lines


def stage_tools(stages: Iterable[Stage]) -> list[Line]:
    """What stages that run on the host use of it, each with those that do."""
    users: dict[str, list[str]] = {}
    for stage in stages:
        for tool in dict.fromkeys([*stage.argv[:1], *stage.tools]):
            if tool.startswith("/") or "/" not in tool:  # ./program is an input
                users.setdefault(tool, []).append(stage.name)
    lines = []
    for tool, names in sorted(users.items()):
        there = Path(tool).exists() if tool.startswith("/") else find(tool) is not None
        more = f" and {len(names) - 2} more" if len(names) > 2 else ""
        found = Finding(tool, there, f"{', '.join(names[:2])}{more} use it", "" if there else "install it")
        lines.append(Line(found, stops=not there))
    return lines
