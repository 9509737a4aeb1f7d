"""The files from outside that rungs learn from: kept in build/validate/, fetched where they are not there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from toolchain.digest import sha256
from toolchain.plugin import Session
from toolchain.stage import Download

_GPT2 = "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/"
FILES = {
    "data/tinyshakespeare.txt": Download(
        "tinyshakespeare.txt",
        ("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed", 1_115_394),
    "data/the-verdict.txt": Download(
        "the-verdict.txt",
        ("https://raw.githubusercontent.com/rasbt/LLMs-from-scratch/main/ch02/01_main-chapter-code/the-verdict.txt",),
        "b41e41a68f0398a3154ae69e2e4c0e2694e17fe0d66730536837f1b01935b31f", 20_479),
    "data/gpt2/vocab.bpe": Download(
        "gpt2/vocab.bpe", (f"{_GPT2}vocab.bpe",),
        "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5", 456_318),
    "data/gpt2/encoder.json": Download(
        "gpt2/encoder.json", (f"{_GPT2}encoder.json",),
        "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783", 1_042_301),
}


def bring(current: Session, names: Iterable[str], folder: Path) -> dict[str, Path]:
    """Those of `names` that come from outside, by their names. UserError for one that nobody has."""
    found = {}
    for name in names:
        download = FILES.get(name)
        if download is None:
            continue
        path = found[name] = folder / name
        if not path.is_file() or sha256(path) != download.sha256:
            current.fetch(download, path, lambda done, total: None)
    return found
