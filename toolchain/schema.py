"""YAML checked against a schema; every complaint names the file and the line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolchain.errors import UserError, meant


@dataclass(frozen=True)
class Field:
    """One allowed key. kind: int, float, bool, str, "list" (of str), or a nested schema.

    default None means that the key is required; `least` and `most` bound numbers; `choices` names words;
    `pattern` is what a text must match as a whole.
    """

    kind: Any
    default: Any = None
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    optional: bool = False


Schema = Mapping[str, Field]
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", "list": "a list of texts"}


def load(path: Path, choose: Callable[[Mapping[str, frozenset[str]]], Schema]) -> dict[str, Any]:
    """The checked content of a YAML file, defaults filled in; UserError where it does not fit.

    `choose` gets each key of the file with the keys inside it, and says which schema holds.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist", _nearest_file(path)) from None
    except (OSError, UnicodeDecodeError) as exc:
        raise UserError(f"{path} cannot be read: {exc}", "it must be a text file in UTF-8") from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise UserError(f"{path}:{line}: not valid YAML: {exc.problem}", "check indentation and colons there") from None
    if node is None:
        raise UserError(f"{path}:1: the file is empty", "copy images/tales.yaml and change it")
    return _mapping(path, "", node, choose({key: frozenset(_keys(value)) for key, value in _keys(node).items()}))


def _keys(node: Any) -> dict[str, Any]:
    """A mapping's keys and their nodes; none where it is something else."""
    return {str(key.value): value for key, value in node.value} if node.id == "mapping" else {}


def _nearest_file(path: Path) -> str:
    there = sorted(file.stem for file in path.parent.glob(f"*{path.suffix}"))
    known = f"there are: {', '.join(there)}" if there else f"{path.parent} holds no recipe"
    return meant(path.stem, there) + known


def _mapping(path: Path, name: str, node: Any, schema: Schema) -> dict[str, Any]:
    where = f"{path}:{node.start_mark.line + 1}"
    if node.id != "mapping":
        raise UserError(f"{where}: {name or 'the file'} must hold keys and values", f"keys: {', '.join(schema)}")
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key, line = str(key_node.value), f"{path}:{key_node.start_mark.line + 1}"
        full = f"{name}.{key}" if name else key
        if key not in schema:
            raise UserError(f"{line}: unknown key {full}", f"{meant(key, schema)}known are: {', '.join(schema)}")
        if key in found:
            raise UserError(f"{line}: {full} is given twice", "keep one of them")
        found[key] = _value(path, line, full, value_node, schema[key])
    for key, field in schema.items():
        if key in found:
            continue
        if field.default is None and not field.optional:
            full = f"{name}.{key}" if name else key
            raise UserError(f"{where}: {full} is missing", f"{full} is {_describe(field)}")
        found[key] = field.default
    return found


def _value(path: Path, line: str, name: str, node: Any, field: Field) -> Any:
    if isinstance(field.kind, Mapping):
        return _mapping(path, name, node, field.kind)
    value = _scalar(node, field.kind)
    if value is None:
        raise UserError(f"{line}: {name} must be {_describe(field)}", "see images/tales.yaml for an example")
    low, high = field.least, field.most
    if not isinstance(value, (str, list)) and (
        (low is not None and value < low) or (high is not None and value > high)
    ):
        raise UserError(f"{line}: {name} is {value}", f"it must be {_describe(field)}")
    if field.choices and value not in field.choices:
        raise UserError(f"{line}: {name} is {value!r}", f"it must be {_describe(field)}")
    if field.pattern and not re.fullmatch(field.pattern, str(value)):
        raise UserError(f"{line}: {name} is {value!r}", f"it must be {_describe(field)}")
    return value


def _scalar(node: Any, kind: Any) -> Any:
    """The node's value in the wanted type, or None where it has another."""
    if kind == "list":
        if node.id != "sequence" or any(item.id != "scalar" for item in node.value):
            return None
        return [str(item.value) for item in node.value]
    if node.id != "scalar":
        return None
    tag = node.tag.rsplit(":", 1)[-1]
    try:
        if kind is bool:
            # YAML 1.1 reads yes, on and no as truth values too: one spelling is enough
            return {"true": True, "false": False}.get(node.value) if tag == "bool" else None
        if kind is int:
            return int(node.value.replace("_", "")) if tag == "int" else None
        if kind is float:
            # YAML 1.1 reads 1e-3 as a text
            number = tag in ("int", "float") or re.fullmatch(r"[0-9.]+e-?[0-9]+", node.value)
            return float(node.value) if number else None
    except ValueError:
        return None
    return node.value if tag == "str" else None


def _describe(field: Field) -> str:
    if isinstance(field.kind, Mapping):
        return "a group of keys: " + ", ".join(field.kind)
    text = _NAMES[field.kind]
    if field.choices:
        text += ": " + " or ".join(field.choices)
    if field.least is not None and field.most is not None:
        text += f" from {_number(field.least)} to {_number(field.most)}"
    elif field.least is not None:
        text += f" of at least {_number(field.least)}"
    if field.pattern:
        text += f" matching {field.pattern}"
    return text


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
