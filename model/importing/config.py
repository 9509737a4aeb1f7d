"""config.json: which shape of ours a model of Hugging Face's has.

What a shape cannot say is refused: a model that is taken gives the logits that transformers gives. Defaults are those
of transformers' LlamaConfig and GPT2Config.
"""

from __future__ import annotations

from typing import Any, NoReturn

from model.importing.reading import Values
from model.program import InputError
from model.shapes import GptShape, LlamaShape, Shape, checked

LLAMAS = {"LlamaForCausalLM": "llama", "MistralForCausalLM": "mistral"}  # the second without its window is the first
GPTS = {"GPT2LMHeadModel": "gpt2"}
KNOWN = f"{', '.join((*LLAMAS, *GPTS))} can be imported"


def shape_of(found: dict[str, Any], where: str) -> Shape:
    """The shape; InputError for what our models do not do."""
    config = Values(where, found)
    kind = _architecture(config)
    if config.any("quantization_config") is not None:
        raise InputError(f"{where}: the weights are quantised", "take the model's folder with F32, F16 or BF16 weights")
    return checked(_llama(config) if kind in LLAMAS else _gpt(config))


def _architecture(config: Values) -> str:
    names, kind = config.any("architectures"), config.any("model_type")
    if names is None:  # it may be left out
        named = next((name for name, of in {**LLAMAS, **GPTS}.items() if of == kind), str(kind)[:40])
    else:
        named = str(names[0])[:40] if isinstance(names, list) and names else str(names)[:40]
    if named not in LLAMAS and named not in GPTS:
        raise InputError(f"{config.where}: the architecture {named} is not one of ours", KNOWN)
    if kind is not None and kind != {**LLAMAS, **GPTS}[named]:
        raise InputError(f"{config.where}: model_type is {str(kind)[:40]!r} in a {named}", "fetch the folder anew")
    return named


def _refuse(config: Values, name: str, value: Any, why: str) -> NoReturn:
    raise InputError(f"{config.where}: {name} is {str(value)[:60]}: {why}", "models without that can be imported")


def _llama(config: Values) -> LlamaShape:
    for name in ("attention_bias", "mlp_bias"):
        if config.flag(name, False):
            _refuse(config, name, "true", "our Llamas have no biases")
    if config.any("sliding_window") is not None and config.flag("use_sliding_window", True):
        _refuse(config, "sliding_window", config.any("sliding_window"), "our models attend to all of their context")
    if config.text("hidden_act", "silu") not in ("silu", "swish"):
        _refuse(config, "hidden_act", config.any("hidden_act"), "our Llamas have silu")
    heads, width = config.whole("num_attention_heads"), config.whole("hidden_size")
    head = config.whole("head_dim", default=width // max(1, heads))
    if head * heads != width:
        _refuse(config, "head_dim", head, f"our {heads} heads share the width of {width}")
    return LlamaShape(
        vocab=config.whole("vocab_size"), context=config.whole("max_position_embeddings"),
        layers=config.whole("num_hidden_layers"), heads=heads,
        kv_heads=config.whole("num_key_value_heads", default=heads), width=width,
        hidden=config.whole("intermediate_size"), tied=config.flag("tie_word_embeddings", False),
        rope_theta=_theta(config), eps=_between(config, "rms_norm_eps", config.number("rms_norm_eps", 1e-6), 0, 1))


def _theta(config: Values) -> float:
    """transformers 5 has rope_parameters, before it rope_theta and rope_scaling."""
    theta = 10_000.0
    for name in (None, "rope_scaling", "rope_parameters"):
        if name is None:
            rope = config
        elif config.any(name) is None:
            continue
        elif isinstance(config.any(name), dict):
            rope = Values(f"{config.where}: {name}", config.any(name))
            kind = rope.text("rope_type", rope.text("type", "default"))
            if kind != "default":
                _refuse(config, name, kind, "our rotary positions are not scaled")
        else:
            _refuse(config, name, config.any(name), "it must be a JSON object")
        if rope.any("partial_rotary_factor") is not None and rope.number("partial_rotary_factor", 1.0) != 1:
            _refuse(rope, "partial_rotary_factor", rope.any("partial_rotary_factor"), "our heads turn as a whole")
        theta = rope.number("rope_theta", theta) if rope.any("rope_theta") is not None else theta
    return _between(config, "rope_theta", theta, 1, 1e12)


def _between(config: Values, name: str, value: float, low: float, high: float) -> float:
    if not low < value < high:
        _refuse(config, name, value, f"it must be between {low:g} and {high:g}")
    return value


def _gpt(config: Values) -> GptShape:
    width = config.whole("n_embd", "hidden_size")
    shape = GptShape(
        vocab=config.whole("vocab_size"), context=config.whole("n_positions", "n_ctx"),
        layers=config.whole("n_layer"), heads=config.whole("n_head"), width=width,
        qkv_bias=config.flag("qkv_bias", True), tied=config.flag("tie_word_embeddings", True),
        dropout=config.number("resid_pdrop", 0.1))
    if not 0 <= shape.dropout < 1:
        _refuse(config, "resid_pdrop", shape.dropout, "it must be from 0 to 1")
    if config.whole("n_inner", default=shape.hidden) != shape.hidden:
        _refuse(config, "n_inner", config.any("n_inner"), f"our GPT-2 of width {width} has {shape.hidden}")
    if config.text("activation_function", "gelu_new") not in ("gelu_new", "gelu_pytorch_tanh"):
        _refuse(config, "activation_function", config.any("activation_function"), "our GPT-2 has gelu_new")
    if config.number("layer_norm_epsilon", 1e-5) != 1e-5:
        _refuse(config, "layer_norm_epsilon", config.any("layer_norm_epsilon"), "our GPT-2 has 1e-5")
    for name, wanted in (("scale_attn_weights", True), ("scale_attn_by_inverse_layer_idx", False),
                         ("add_cross_attention", False)):
        if config.flag(name, wanted) != wanted:
            _refuse(config, name, not wanted, "our GPT-2 attends as GPT-2 did")
    return shape
