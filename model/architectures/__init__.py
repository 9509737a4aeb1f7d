"""The models in PyTorch: one file an architecture, and what they have in common.

Every model is called as `logits = model(tokens, cache)`: tokens (batch, time) int64 -> logits (batch, time, vocab).
With a cache the tokens follow those that it has seen; without one they start at position 0.
"""

from __future__ import annotations

from model.architectures.gpt import Gpt
from model.architectures.llama import Llama
from model.shapes import GptShape, Shape

Model = Gpt | Llama


def make(shape: Shape) -> Model:
    """A model of that shape, its weights drawn from torch's random numbers as GPT-2's are."""
    return Gpt(shape) if isinstance(shape, GptShape) else Llama(shape)
