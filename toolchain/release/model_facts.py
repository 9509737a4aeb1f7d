"""What a model's file says of itself, in words for people."""

from __future__ import annotations

import math
from pathlib import Path

from toolchain.formats import FormatError, gguf

_KEYS = {"context": "context_length", "width": "embedding_length", "layers": "block_count",
         "heads": "attention.head_count"}


def read(path: Path) -> dict[str, str]:
    """Architecture, shape, number of parameters; nothing where the file is not GGUF."""
    try:
        with path.open("rb") as file:
            model = gguf.read(file, path.stat().st_size)
    except FormatError:
        return {}
    found = {"parameters": str(sum(math.prod(tensor.shape) for tensor in model.tensors.values())),
             "types": " ".join(sorted({tensor.type_name for tensor in model.tensors.values()}))}
    architecture = _text(model, "general.architecture")
    if architecture:
        found["architecture"] = architecture
    for name, key in _KEYS.items():
        value = _text(model, f"{architecture}.{key}")
        if value:
            found[name] = value
    return found


def _text(model: gguf.Gguf, key: str) -> str:
    """A number, or a word of a reasonable length."""
    value = model.keys[key].value if key in model.keys else ""
    text = str(value) if isinstance(value, (int, str)) else ""
    return text if text.isprintable() and len(text) <= 100 else ""
