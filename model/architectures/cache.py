"""Keys and values of the tokens that a model has seen."""

from __future__ import annotations

import torch
from torch import Tensor


class Cache:
    """Room for `size` positions of each layer; `used` of them hold something."""

    def __init__(self, layers: int, batch: int, kv_heads: int, size: int, head: int, like: Tensor) -> None:
        """`like` gives device and dtype."""
        shape = (layers, batch, kv_heads, size, head)
        self.keys = torch.zeros(shape, device=like.device, dtype=like.dtype)
        self.values = torch.zeros(shape, device=like.device, dtype=like.dtype)
        self.size = size
        self.used = 0
        self.forgotten = 0  # positions before them that are no longer here

    def add(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """keys, values (batch, kv_heads, time, head) behind `used` -> all so far (batch, kv_heads, used+time, head).

        The model moves `used` on when its last layer is done.
        """
        end = self.used + keys.shape[2]
        self.keys[layer, :, :, self.used:end] = keys
        self.values[layer, :, :, self.used:end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def forget(self, count: int) -> None:
        """The oldest positions go, the others keep what they are: for rotary positions, which are in the keys."""
        keep = self.used - count
        self.keys[:, :, :, :keep] = self.keys[:, :, :, count:self.used].clone()
        self.values[:, :, :, :keep] = self.values[:, :, :, count:self.used].clone()
        self.used, self.forgotten = keep, self.forgotten + count


def attend(q: Tensor, k: Tensor, v: Tensor, dropout: float = 0.0) -> Tensor:
    """Causal attention: q (batch, heads, time, head) over k, v (batch, heads, seen, head), seen >= time, the last
    `time` of which are q's own positions -> (batch, heads, time, head)."""
    time, seen = q.shape[2], k.shape[2]
    if time == seen:
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
    mask = torch.ones(time, seen, dtype=torch.bool, device=q.device).tril(seen - time)
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
