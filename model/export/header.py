"""The weights as a C header: sizes as macros, a static const array a tensor.

A float is written with 9 digits, which give the same float back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields

from model.export.weights import Tensor, Weights

A_LINE = 8  # floats


def header(weights: Weights, name: str) -> bytes:
    """The whole header file."""
    guard = f"MODEL_{re.sub('[^A-Z0-9]', '_', name.upper())}_H"
    lines = [
        f"/* The weights of {name}: {weights.parameters} parameters of a GPT-2 whose tokens are bytes.",
        " * Every array is row by row; the output head is the token table. */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        f'#define MODEL_NAME "{name}"',
        *(f"#define MODEL_{item.name.upper()} {getattr(weights.config, item.name)}" for item in fields(weights.config)),
        f"#define MODEL_PARAMETERS {weights.parameters}",
    ]
    for tensor in weights.tensors:
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
