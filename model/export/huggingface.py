"""A folder that Hugging Face's transformers reads: LlamaForCausalLM or GPT2LMHeadModel.

`config.json`, `generation_config.json`, `model.safetensors`, and where there is a tokenizer.json that makes the same
tokens, that with `tokenizer_config.json` (formats: transformers' documentation, "Configuration", "Tokenizer").
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from model.checkpoint import Checkpoint, save_tensors
from model.export import huggingface_tokenizer
from model.huggingface import places
from model.program import write_file
from model.shapes import GptShape, LlamaShape, Shape
from model.tokenizers.table import Table

WEIGHTS, CONFIG = "model.safetensors", "config.json"


def write(folder: Path, found: Checkpoint, table: Table) -> bool:
    """All of it, each file whole or not there; False where the tokenizer has no form that transformers reads."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = dict(_tensors(found.shape, found.weights))
    save_tensors(folder / WEIGHTS, tensors, {"format": "pt"})
    dtypes = {str(value.dtype).removeprefix("torch.") for value in tensors.values()}
    tokenizer = huggingface_tokenizer.files(table, found.shape.context, found.chat_template)
    files = {**tokenizer, "generation_config.json": _ends(table),
             CONFIG: config(found.shape, table, dtypes.pop() if len(dtypes) == 1 else "float32")}
    for name, content in files.items():
        write_file(folder / name, json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n")
    return bool(tokenizer)


def _tensors(shape: Shape, weights: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for place in places(shape):
        if place.ours in weights:
            yield place.theirs, place.to_theirs(weights[place.ours])
        else:  # GPT-2 has biases for q, k and v
            yield place.theirs, weights["norm.bias"].new_zeros(place.size)


def config(shape: Shape, table: Table, dtype: str) -> dict[str, Any]:
    """The content of config.json. `qkv_bias` is ours, transformers does not look at it: those biases are all 0."""
    sizes = _gpt(shape) if isinstance(shape, GptShape) else _llama(shape)
    return {**sizes, "vocab_size": shape.vocab, "tie_word_embeddings": shape.tied, **_ends(table), "dtype": dtype,
            "torch_dtype": dtype}  # its name before transformers 5


def _ends(table: Table) -> dict[str, int | None]:
    return {"bos_token_id": table.bos, "eos_token_id": table.eos}


def _llama(shape: LlamaShape) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": shape.width,
        "intermediate_size": shape.hidden, "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads, "head_dim": shape.head_width, "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.eps, "rope_theta": shape.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta}, "hidden_act": "silu",
        "attention_bias": False, "mlp_bias": False,
    }


def _gpt(shape: GptShape) -> dict[str, Any]:
    return {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": shape.width, "n_layer": shape.layers,
        "n_head": shape.heads, "n_positions": shape.context, "n_inner": shape.hidden,
        "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "attn_pdrop": shape.dropout,
        "embd_pdrop": shape.dropout, "resid_pdrop": shape.dropout, "qkv_bias": shape.qkv_bias,
    }
