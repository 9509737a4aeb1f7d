"""A folder as Hugging Face's transformers writes them, made without it: a small random GPT-2 whose tokens are bytes."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.export.huggingface_tokenizer import files
from model.huggingface import places
from model.shapes import GptShape
from model.tokenizers.simple import bytes_table

SHAPE = GptShape(vocab=256, context=64, layers=2, heads=2, width=32)


def gpt2(folder: Path, seed: int = 1) -> dict[str, NDArray[np.float32]]:
    """Its tensors, by their names there; the texts that it makes are printable."""
    rng = np.random.default_rng(seed)
    tensors = {place.theirs: rng.standard_normal(place.size).astype(np.float32) * np.float32(0.3)
               for place in places(SHAPE)}
    tensors["transformer.ln_f.bias"][0] = 8  # what all printable bytes have in common
    tensors["transformer.wte.weight"][0x20:0x7F, 0] += 1
    folder.mkdir(parents=True)
    config = {"model_type": "gpt2", "vocab_size": 256, "n_positions": SHAPE.context, "n_embd": SHAPE.width,
              "n_layer": SHAPE.layers, "n_head": SHAPE.heads}
    for name, content in {"config.json": config, **files(bytes_table(), SHAPE.context)}.items():
        (folder / name).write_text(json.dumps(content))
    header, data = {}, b""
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(values.shape),
                        "data_offsets": [len(data), len(data) + values.nbytes]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    return tensors
