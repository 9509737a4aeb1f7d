"""Accelerators that failed explicitly, remembered so that the next boot loses no time to them."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from pathlib import Path

from toolchain.files import read_json, write_json
from toolchain.qemu.attempts import Attempt


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/ingot, else ~/.cache/ingot."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ingot"


def cpu_identity() -> str:
    """What changes when the guest's CPU would: model and flags."""
    if sys.platform.startswith("linux"):
        try:
            with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
                block = file.read(1 << 16).partition("\n\n")[0]
        except OSError:
            block = ""
        kept = [line for line in block.splitlines()
                if line.partition("\t")[0].strip() in ("model name", "vendor_id", "flags", "microcode")]
        return "\n".join(kept)
    return f"{platform.machine()} {platform.processor()}"


class Memo:
    """One JSON file: key -> reason. A file that cannot be read is empty, one that cannot be written is no error."""

    def __init__(self, path: Path, qemu_version: str, kernel: str, cpu: str) -> None:
        self._path = path
        self._base = hashlib.sha256("\0".join((qemu_version, kernel, cpu)).encode()).hexdigest()[:16]

    @classmethod
    def of_this_machine(cls, qemu_version: str) -> Memo:
        """Keyed by QEMU's version, this kernel and this CPU."""
        kernel = f"{platform.system()} {platform.release()} {platform.version()}"
        return cls(cache_folder() / "accelerators.json", qemu_version, kernel, cpu_identity())

    @property
    def path(self) -> Path:
        """Where it lies, for messages."""
        return self._path

    def recall(self, attempt: Attempt) -> str | None:
        """Why this attempt failed last time, or None."""
        reason = self._load().get(self._key(attempt))
        return reason if isinstance(reason, str) else None

    def failures(self) -> dict[str, str]:
        """'kvm -cpu host' -> reason, for this machine as it is now."""
        prefix = self._base + " "
        return {key[len(prefix):]: reason for key, reason in self._load().items() if key.startswith(prefix)}

    def remember(self, attempt: Attempt, reason: str) -> None:
        """Notes an explicit failure."""
        known = self._load()
        known[self._key(attempt)] = reason
        self._save(known)

    def forget(self, attempt: Attempt) -> None:
        """It worked after all."""
        known = self._load()
        if known.pop(self._key(attempt), None) is not None:
            self._save(known)

    def _key(self, attempt: Attempt) -> str:
        return f"{self._base} {attempt.accel} -cpu {attempt.cpu}"

    def _load(self) -> dict[str, str]:
        known = read_json(self._path)
        return dict(known) if isinstance(known, dict) else {}

    def _save(self, known: dict[str, str]) -> None:
        try:
            write_json(self._path, known)
        except OSError:
            return  # the next boot tries again, that is all
