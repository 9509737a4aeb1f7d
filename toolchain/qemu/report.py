"""boot.json: what a scripted boot did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toolchain.files import disk_errors, write_json


@dataclass(frozen=True)
class Tried:
    """One attempt to start QEMU."""

    accel: str
    outcome: str  # ok, or the kind of failure: exited, stopped, silent, remembered, skipped
    reason: str
    seconds: float


@dataclass(frozen=True)
class Reply:
    """What one prompt gave. `text` includes the prompt; `tokens` counts new ones."""

    prompt: str
    text: str
    prompt_tokens: int
    tokens: int
    time_ms: float
    tok_s: float


@dataclass
class Report:
    """Filled while the boot goes on; written whatever its end."""

    accel_requested: str
    smp: int
    several: bool
    accel_used: str | None = None
    attempts: list[Tried] = field(default_factory=list)
    cpu_features: list[str] = field(default_factory=list)
    kernel: str | None = None
    boot_ms: int | None = None
    replies: list[Reply] = field(default_factory=list)

    def banner(self, cpu: Mapping[str, str]) -> None:
        """Takes over the words of the program's [cpu] line."""
        self.cpu_features = [name for name in cpu.get("features", "").split(",") if name]
        self.kernel = cpu.get("kernel")

    def as_dict(self, status: int) -> dict[str, Any]:
        """The fields of DESIGN.md. Of several replies the counts are sums and the text is what was printed."""
        time_ms = sum(reply.time_ms for reply in self.replies)
        tokens = sum(reply.tokens for reply in self.replies)
        one = self.replies[0].tok_s if len(self.replies) == 1 else round(tokens * 1000 / time_ms, 2) if time_ms else 0.0
        found: dict[str, Any] = {
            "accel_requested": self.accel_requested,
            "accel_used": self.accel_used,
            "attempts": [asdict(tried) for tried in self.attempts],
            "smp": self.smp,
            "cpu_features": self.cpu_features,
            "kernel": self.kernel,
            "boot_ms": self.boot_ms,
            "prompt_tokens": sum(reply.prompt_tokens for reply in self.replies),
            "tokens": tokens,
            "tok_s": one,
            "text": "".join(printed(reply.text, self.several) for reply in self.replies),
            "exit": status,
        }
        if self.several:
            found["replies"] = [asdict(reply) for reply in self.replies]
        return found

    def write(self, path: Path, status: int) -> None:
        """Replaces boot.json as a whole."""
        with disk_errors(f"writing {path}"):
            write_json(path, self.as_dict(status))


def printed(text: str, several: bool) -> str:
    """A reply as stdout shows it: exactly its text, and of several each on lines of its own."""
    return text + "\n" if several and not text.endswith("\n") else text
