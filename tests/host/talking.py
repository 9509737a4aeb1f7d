"""Small models with a chat template, for the host program and for boots."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.engine import llamas, models
from tests.engine.models import ARRAY, I32, STRING, U32, Array, Key

TEMPLATE = json.loads((Path(__file__).parent.parent / "engine" / "templates.json").read_text())["chatml"]["template"]
START, END = "<|im_start|>", "<|im_end|>"
NORMAL, CONTROL, OWN = 1, 3, 4


def words_only(tensors: dict[str, Array]) -> dict[str, Array]:
    """The same, saying nothing but small letters."""
    out = tensors["output.weight"]
    out[:97], out[123:] = 0, 0
    return tensors


def with_marks(keys: list[Key], *, template: bool) -> list[Key]:
    """The keys with two more tokens; without the template they are found in texts, to compare with."""
    types = [NORMAL] * 256 + [CONTROL if template else OWN] * 2
    more = [Key("tokenizer.ggml.token_type", ARRAY, types, I32)]
    if template:
        more += [Key("tokenizer.chat_template", STRING, TEMPLATE), Key("tokenizer.ggml.eot_token_id", U32, 257)]
    tokens = [*models.alphabet(), START, END]
    return [*(replace(key, value=tokens) if key.name == "tokenizer.ggml.tokens" else key for key in keys), *more]


def llama(context: int = 192, *, template: bool = True, seed: int = 1) -> bytes:
    """A random Llama."""
    shape = llamas.Shape(context=context, vocab=258)
    tensors = words_only(llamas.random_tensors(shape, seed))
    return bytes(models.write(with_marks(llamas.keys_of(shape), template=template), tensors).data)


def gpt2(context: int = 192, *, template: bool = True) -> bytes:
    """A random GPT-2."""
    shape = models.Shape(context=context, vocab=258)
    tensors = models.random_tensors(shape)
    tensors["output.weight"] = np.random.default_rng(2).standard_normal((258, shape.width)).astype(np.float32)
    return bytes(models.write(with_marks(models.keys_of(shape), template=template), words_only(tensors)).data)


def says(text: bytes, start: int, *, context: int = 1024) -> bytes:
    """A GPT-2 without layers' effect that says `text`, byte after byte, from behind position `start` on, and ends."""
    width = 192
    shape = models.Shape(context=context, layers=1, heads=1, width=width, hidden=width, vocab=258)
    tensors = {name: np.zeros_like(t) for name, t in models.random_tensors(shape).items()}
    tensors["output_norm.weight"] += 1
    tensors["output.weight"] = np.zeros((258, width), np.float32)
    for i, token in enumerate([*text, 257]):
        tensors["position_embd.weight"][start + i, i] = 1
        tensors["output.weight"][token, i] += 1
    return bytes(models.write(with_marks(models.keys_of(shape), template=True), tensors).data)


def written(*turns: str, system: str | None = None) -> str:
    """Texts of user and model, in turns, as ChatML has them, up to where a reply begins."""
    text = f"{START}system\n{system}{END}\n" if system else ""
    for i, turn in enumerate(turns):
        text += f"{turn}{END}\n" if i % 2 else f"{START}user\n{turn}{END}\n{START}assistant\n"
    return text
