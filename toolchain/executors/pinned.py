"""What the executors that enter a toolchain root have in common."""

from __future__ import annotations

from toolchain.roots import Roots


class Pinned:
    """Keys hold the root's lock, so a result made by one of these is a hit in the others."""

    def __init__(self, roots: Roots) -> None:
        self.roots = roots

    def digest(self, root: str, tools: tuple[str, ...]) -> str:
        """The root is all that identifies the tools."""
        return self.roots.identity(root)

    def close(self) -> None:
        """Nothing is kept warm."""
