"""Which executor a rebuild uses: where it can, another than the first build did."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

ORDER = ("docker", "sandbox", "nix")  # docker is the reference


def pick(used: Collection[str], pinned: bool, trouble: Callable[[str], str | None]) -> tuple[str, list[str]]:
    """The executor, and why it is no other one than the first build's where it is not. Pure, but for `trouble`.

    used: those of the first build, empty where they are not known. pinned: whether its tools were those of a root.
    """
    if not pinned:
        return "host", ["the first build was made with this machine's own tools: no other executor has the same"]
    reasons: list[str] = []
    for name in _sorted(used):
        reason = trouble(name)
        if reason is None:
            return name, reasons if name in used else []
        reasons.append(f"{name} cannot be used here ({reason})")
    return "host", [*reasons, "so it is built with this machine's own tools, which are others than the first build's"]


def _sorted(used: Collection[str]) -> Iterable[str]:
    """Others first."""
    return [*(name for name in ORDER if name not in used), *(name for name in ORDER if name in used)]


def trouble(name: str) -> str | None:
    """Why the executor cannot be used here; None when it can."""
    if name == "sandbox":
        from toolchain.executors.sandbox import trouble_now

        return trouble_now()
    if name == "docker":
        from toolchain.executors.docker import trouble as docker

        return docker()
    if name == "nix":
        from toolchain.executors.nix import trouble as nix

        return nix()
    return None
