"""Our tensors and Hugging Face's: LlamaForCausalLM and GPT2LMHeadModel, either way.

Theirs differ in two things besides names. A Llama's heads are rotated in halves, value i with value i + head/2, ours
in neighbours: the rows of q and k lie in another order. GPT-2's matrices are (inputs, outputs), ours (outputs, inputs).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from model.shapes import GptShape, LlamaShape, Shape

LLAMA_LAYER = {"norm1": "input_layernorm", "q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj",
               "proj": "self_attn.o_proj", "norm2": "post_attention_layernorm", "gate": "mlp.gate_proj",
               "up": "mlp.up_proj", "down": "mlp.down_proj"}
GPT_LAYER = {"ln1": "ln_1", "qkv": "attn.c_attn", "proj": "attn.c_proj", "ln2": "ln_2", "up": "mlp.c_fc",
             "down": "mlp.c_proj"}
HEAD = "lm_head.weight"  # of a tied model there is none


@dataclass(frozen=True)
class Place:
    """One tensor in both worlds."""

    ours: str
    theirs: str
    size: tuple[int, ...]  # of theirs
    heads: int = 0  # whose rows are rotated; 0: none are
    turned: bool = False

    def to_theirs(self, tensor: Any) -> Any:
        """Ours, of any dtype -> theirs"""
        if self.heads:
            rows, width = self.size
            tensor = tensor.reshape(self.heads, rows // self.heads // 2, 2, width).transpose(1, 2).reshape(rows, width)
        return (tensor.t() if self.turned else tensor).contiguous()

    def to_ours(self, tensor: Any) -> Any:
        """Theirs -> ours"""
        if self.heads:
            rows, width = self.size
            tensor = tensor.reshape(self.heads, 2, rows // self.heads // 2, width).transpose(1, 2).reshape(rows, width)
        return (tensor.t() if self.turned else tensor).contiguous()


def places(shape: Shape) -> Iterator[Place]:
    """Every tensor of theirs. That of qkv's bias is there in a model without one too: theirs is zeros then."""
    yield from _gpt(shape) if isinstance(shape, GptShape) else _llama(shape)
    if not shape.tied:
        yield Place("head.weight", HEAD, (shape.vocab, shape.width))


def _llama(shape: LlamaShape) -> Iterator[Place]:
    width, narrow, hidden = shape.width, shape.kv_heads * shape.head_width, shape.hidden
    sizes: dict[str, tuple[int, ...]] = {
        "norm1": (width,), "q": (width, width), "k": (narrow, width), "v": (narrow, width), "proj": (width, width),
        "norm2": (width,), "gate": (hidden, width), "up": (hidden, width), "down": (width, hidden)}
    heads = {"q": shape.heads, "k": shape.kv_heads}
    yield Place("token.weight", "model.embed_tokens.weight", (shape.vocab, width))
    for i in range(shape.layers):
        for name, there in LLAMA_LAYER.items():
            yield Place(f"layers.{i}.{name}.weight", f"model.layers.{i}.{there}.weight", sizes[name],
                        heads.get(name, 0))
    yield Place("norm.weight", "model.norm.weight", (width,))


def _gpt(shape: GptShape) -> Iterator[Place]:
    width, hidden = shape.width, shape.hidden
    sizes = {"qkv": (width, 3 * width), "proj": (width, width), "up": (width, hidden), "down": (hidden, width)}
    yield Place("token.weight", "transformer.wte.weight", (shape.vocab, width))
    yield Place("position.weight", "transformer.wpe.weight", (shape.context, width))
    for i in range(shape.layers):
        for name, there in GPT_LAYER.items():
            matrix = sizes.get(name)
            yield Place(f"layers.{i}.{name}.weight", f"transformer.h.{i}.{there}.weight", matrix or (width,),
                        turned=matrix is not None)
            yield Place(f"layers.{i}.{name}.bias", f"transformer.h.{i}.{there}.bias", (matrix or (0, width))[1:])
    yield Place("norm.weight", "transformer.ln_f.weight", (width,))
    yield Place("norm.bias", "transformer.ln_f.bias", (width,))
