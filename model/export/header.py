"""The weights as a C header: sizes as macros, a static const array a tensor.

A float is written with 9 digits, which give the same float back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from model.export.weights import Tensor, Weights
from model.program import InputError

if TYPE_CHECKING:  # the C trainer's models are exported without NumPy
    from model.export.packing import Array
    from model.shapes import Shape

A_LINE = 8  # floats
MOST = 1 << 22  # parameters: a header of 50 MB
GPT_LAYER = ("ln1", "qkv", "proj", "ln2", "up", "down")
LLAMA_LAYER = ("norm1", "q", "k", "v", "proj", "norm2", "gate", "up", "down")


def header(weights: Weights, name: str) -> bytes:
    """The whole header file, of the C trainer's model."""
    sizes = {item.name: str(getattr(weights.config, item.name)) for item in fields(weights.config)}
    return _file(name, f"{weights.parameters} parameters of a GPT-2 whose tokens are bytes", "the token table",
                 {**sizes, "parameters": str(weights.parameters)}, weights.tensors)


def of_model(shape: Shape, weights: Mapping[str, Array], name: str) -> bytes:
    """The same, of any model, whose weights have the names of its state dict. InputError for one that is too large."""
    if shape.parameters > MOST:
        raise InputError(f"a C header of {shape.parameters:,} parameters",
                         f"it has {MOST:,} at most: export a larger model as GGUF")
    sizes = {item: _float(value) if isinstance(value, float) else str(int(value))
             for item, value in {**asdict(shape), "hidden": shape.hidden}.items() if item != "dropout"}
    kind = "GPT-2" if shape.architecture == "gpt2" else "Llama"
    return _file(name, f"{shape.parameters} parameters of a {kind}", "the token table" if shape.tied else "model_head",
                 {**sizes, "parameters": str(shape.parameters)}, list(_tensors(shape, weights)))


def _tensors(shape: Shape, weights: Mapping[str, Array]) -> Iterator[Tensor]:
    """Named and in order as those of the C trainer's weights.bin (model/export/weights.py)."""
    parts = GPT_LAYER if shape.architecture == "gpt2" else LLAMA_LAYER
    named: list[tuple[str, int | None, str]] = [("token", None, "token.weight"), ("position", None, "position.weight")]
    kinds = ("weight", "bias")
    for i in range(shape.layers):
        named += [(f"{part}_{kind[0]}", i, f"layers.{i}.{part}.{kind}") for part in parts for kind in kinds]
    named += [("norm_w", None, "norm.weight"), ("norm_b", None, "norm.bias")]
    for short, layer, name in named if shape.tied else [*named, ("head", None, "head.weight")]:
        if name in weights:
            values = weights[name]
            yield Tensor(short, layer, values.shape, values.astype("<f4").tobytes())


def _file(name: str, about: str, head: str, sizes: Mapping[str, str], tensors: Sequence[Tensor]) -> bytes:
    guard = f"MODEL_{re.sub('[^A-Z0-9]', '_', name.upper())}_H"
    lines = [
        f"/* The weights of {name}: {about}.",
        f" * Every array is row by row; the output head is {head}. */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        f'#define MODEL_NAME "{name}"',
        *(f"#define MODEL_{item.upper()} {value}" for item, value in sizes.items()),
    ]
    for tensor in tensors:
        lines += ["", *_array(tensor)]
    return "\n".join([*lines, "", "#endif", ""]).encode("ascii")


def array_name(tensor: Tensor) -> str:
    """model_token; model_0_qkv_w for qkv_w of layer 0."""
    return f"model_{tensor.name}" if tensor.layer is None else f"model_{tensor.layer}_{tensor.name}"


def _array(tensor: Tensor) -> Iterator[str]:
    shape = " * ".join(map(str, tensor.shape))
    values = [_float(value) for value in tensor.values()]
    yield f"static const float {array_name(tensor)}[{shape}] = {{"
    for i in range(0, len(values), A_LINE):
        yield "    " + ", ".join(values[i : i + A_LINE]) + ","
    yield "};"


def _float(value: float) -> str:
    text = f"{value:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"
