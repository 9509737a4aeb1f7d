"""Llama (Touvron et al. 2023), with llama2.c's conventions: rotation of neighbours (2i, 2i+1), no biases."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.architectures.cache import Cache, attend
from model.program import InputError
from model.shapes import LlamaShape


def widened(x: Tensor) -> Tensor:
    """float32 where x is narrower: norms and rotations lose too much in bfloat16."""
    return x if x.dtype == torch.float64 else x.float()


class RmsNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight (Zhang and Sennrich 2019)"""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> the same"""
        wide = widened(x)
        return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)).type_as(x) * self.weight


def rotation(first: int, end: int, head: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines of positions first to end-1, each (time, head/2), float64 on the CPU (Su et al. 2021)"""
    frequency = theta ** (-torch.arange(0, head, 2, dtype=torch.float64) / head)
    angle = torch.outer(torch.arange(first, end, dtype=torch.float64), frequency)
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """x (batch, heads, time, head), its neighbours (2i, 2i+1) turned by the position's angle -> the same"""
    wide = widened(x)
    even, odd = wide.unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), dim=-1)
    return turned.flatten(-2).type_as(x)


class Layer(nn.Module):
    """Grouped-query attention and SwiGLU, each behind an RMSNorm and added to the residual stream."""

    def __init__(self, shape: LlamaShape, number: int) -> None:
        super().__init__()
        width, narrow = shape.width, shape.kv_heads * shape.head_width
        self.number, self.head = number, shape.head_width
        self.groups = shape.heads // shape.kv_heads
        self.norm1 = RmsNorm(width, shape.eps)
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, narrow, bias=False)
        self.v = nn.Linear(width, narrow, bias=False)
        self.proj = nn.Linear(width, width, bias=False)
        self.norm2 = RmsNorm(width, shape.eps)
        self.gate = nn.Linear(width, shape.hidden, bias=False)
        self.up = nn.Linear(width, shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, width, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, cache: Cache | None) -> Tensor:
        """x (batch, time, width) -> the same"""
        batch, time, width = x.shape
        normed = self.norm1(x)
        q, k, v = (part(normed).view(batch, time, -1, self.head).transpose(1, 2) for part in (self.q, self.k, self.v))
        q, k = rotate(q, cosine, sine), rotate(k, cosine, sine)
        if cache is not None:
            k, v = cache.add(self.number, k, v)
        k, v = (part.repeat_interleave(self.groups, dim=1) for part in (k, v))
        x = x + self.proj(attend(q, k, v).transpose(1, 2).reshape(batch, time, width))
        normed = self.norm2(x)
        return x + self.down(F.silu(self.gate(normed)) * self.up(normed))


class Llama(nn.Module):
    """Token table, layers, a last norm and the head."""

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.shape = shape
        self.token = nn.Embedding(shape.vocab, shape.width)
        self.layers = nn.ModuleList(Layer(shape, i) for i in range(shape.layers))
        self.norm = RmsNorm(shape.width, shape.eps)
        self.head = nn.Linear(shape.width, shape.vocab, bias=False)
        if shape.tied:
            self.head.weight = self.token.weight
        for part in self.modules():
            if isinstance(part, nn.Linear | nn.Embedding):
                nn.init.normal_(part.weight, std=0.02)
        for layer in self.layers:  # as in gpt.py
            for part in (layer.proj, layer.down):
                nn.init.normal_(part.weight, std=0.02 / (2 * shape.layers) ** 0.5)

    def cache(self, batch: int = 1) -> Cache:
        """An empty one, for as many tokens as the context has."""
        s = self.shape
        return Cache(s.layers, batch, s.kv_heads, s.context, s.head_width, self.token.weight)

    def hidden(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """tokens (batch, time) -> (batch, time, width), what the head reads"""
        used, before = (cache.used, cache.forgotten) if cache is not None else (0, 0)
        end = used + tokens.shape[1]
        if end > self.shape.context:
            raise InputError(f"{end:,} tokens in a model whose context has {self.shape.context:,}",
                             "give fewer, or train one with a longer context")
        x = self.token(tokens)
        wide = widened(x)
        cosine, sine = (part.to(wide.dtype).to(x.device) for part in rotation(
            before + used, before + end, self.shape.head_width, self.shape.rope_theta))
        for layer in self.layers:
            x = layer(x, cosine, sine, cache)
        if cache is not None:
            cache.used = end
        return self.norm(x)

    def forward(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """tokens (batch, time) -> logits (batch, time, vocab)"""
        return self.head(self.hidden(tokens, cache))
