"""GPT-2 (Radford et al. 2019, "Language models are unsupervised multitask learners")."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.architectures.cache import Cache, attend
from model.program import InputError
from model.shapes import GptShape


class Layer(nn.Module):
    """Attention and a two-layer network, each behind a LayerNorm and added to the residual stream."""

    def __init__(self, shape: GptShape, number: int) -> None:
        super().__init__()
        width = shape.width
        self.number, self.heads, self.dropout = number, shape.heads, shape.dropout
        self.ln1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=shape.qkv_bias)
        self.proj = nn.Linear(width, width)
        self.ln2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, shape.hidden)
        self.down = nn.Linear(shape.hidden, width)
        self.drop = nn.Dropout(shape.dropout)

    def forward(self, x: Tensor, cache: Cache | None) -> Tensor:
        """x (batch, time, width) -> the same"""
        batch, time, width = x.shape
        qkv = self.qkv(self.ln1(x)).view(batch, time, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (batch, heads, time, head)
        if cache is not None:
            k, v = cache.add(self.number, k, v)
        mixed = attend(q, k, v, self.dropout if self.training else 0.0).transpose(1, 2).reshape(batch, time, width)
        x = x + self.drop(self.proj(mixed))
        return x + self.drop(self.down(F.gelu(self.up(self.ln2(x)), approximate="tanh")))


class Gpt(nn.Module):
    """Token and position tables, layers, a last norm and the head."""

    def __init__(self, shape: GptShape) -> None:
        super().__init__()
        self.shape = shape
        self.token = nn.Embedding(shape.vocab, shape.width)
        self.position = nn.Embedding(shape.context, shape.width)
        self.drop = nn.Dropout(shape.dropout)
        self.layers = nn.ModuleList(Layer(shape, i) for i in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        self.head = nn.Linear(shape.width, shape.vocab, bias=False)
        if shape.tied:
            self.head.weight = self.token.weight
        self.apply(_start)
        if not shape.tied:  # tables that are no head begin at 1, as in Raschka 2024: tokens stand out of the stream
            for table in (self.token, self.position):
                nn.init.normal_(table.weight)
        for layer in self.layers:  # so that the residual stream keeps its size however many layers add to it
            for part in (layer.proj, layer.down):
                nn.init.normal_(part.weight, std=0.02 / (2 * shape.layers) ** 0.5)

    def cache(self, batch: int = 1) -> Cache:
        """An empty one, for as many tokens as the context has."""
        s = self.shape
        return Cache(s.layers, batch, s.heads, s.context, s.width // s.heads, self.token.weight)

    def hidden(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """tokens (batch, time) -> (batch, time, width), what the head reads"""
        first = cache.used if cache is not None else 0
        end = first + tokens.shape[1]
        if end > self.shape.context:
            raise InputError(f"{end:,} tokens in a model whose context has {self.shape.context:,}",
                             "give fewer, or train one with a longer context")
        x = self.drop(self.token(tokens) + self.position(torch.arange(first, end, device=tokens.device)))
        for layer in self.layers:
            x = layer(x, cache)
        if cache is not None:
            cache.used = end
        return self.norm(x)

    def forward(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """tokens (batch, time) -> logits (batch, time, vocab)"""
        return self.head(self.hidden(tokens, cache))


def _start(part: nn.Module) -> None:
    if isinstance(part, nn.Linear | nn.Embedding):
        nn.init.normal_(part.weight, std=0.02)
    if isinstance(part, nn.Linear) and part.bias is not None:
        nn.init.zeros_(part.bias)
