"""Our own record of a result: JSON, one more file of the message, under a path that no stage may use."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from toolchain.key import canonical, key_of
from toolchain.remote.message import File
from toolchain.store import Output, Result

PATH = ".ingot/result.json"  # what the record is called in the message


def encode(result: Result) -> tuple[bytes, tuple[File, ...]]:
    """The record, and the files that the message names: the outputs and the record itself.

    ValueError where the result cannot be shared: what its key was made of is not known.
    """
    if key_of(result.fields) != result.key:
        raise ValueError("its fields are not those of its key")
    data = canonical({name: value for name, value in asdict(result).items() if name != "fetched"})
    own = File(PATH, hashlib.sha256(data).hexdigest(), len(data))
    outputs = tuple(File(out.path, out.sha256, out.size, out.executable) for out in result.outputs)
    if any(file.path == PATH for file in outputs):
        raise ValueError(f"{PATH} is one of its outputs")
    return data, (*outputs, own)


def own_file(files: tuple[File, ...]) -> File:
    """The record among a message's files; ValueError where another program has made the message."""
    for file in files:
        if file.path == PATH and not file.executable:
            return file
    raise ValueError("holds no record of ingot's")


def decode(data: bytes, key: str, files: tuple[File, ...]) -> Result:
    """The result in a record that may say anything; ValueError where it is not one for this key and message."""
    try:
        record = json.loads(data)
    except RecursionError:
        raise ValueError("the record is nested too deep") from None
    if not isinstance(record, dict) or not isinstance(record.get("outputs"), list):
        raise ValueError("the record is not one")
    fields, seconds, executor = record.get("fields"), record.get("seconds"), record.get("executor")
    if not isinstance(fields, dict) or record.get("key") != key or _key_of(fields) != key:
        raise ValueError("the record is of another key")
    outputs = tuple(_output(raw) for raw in record["outputs"])
    if [output.path for output in outputs] != fields.get("outputs") or record.get("stage") != fields.get("stage"):
        raise ValueError("the record names other outputs than its key")
    if {File(out.path, out.sha256, out.size, out.executable) for out in outputs} != set(files) - {own_file(files)}:
        raise ValueError("the record and the message differ")
    if not isinstance(seconds, (int, float)) or not 0 <= seconds < 1e12:
        raise ValueError("the record says an impossible time")
    if not isinstance(executor, str) or not executor.isprintable() or len(executor) > 100:
        raise ValueError("the record says an impossible executor")
    return Result(key=key, stage=str(record["stage"]), outputs=outputs, seconds=float(seconds), executor=executor,
                  fields=fields, fetched=True)


def _key_of(fields: dict[str, Any]) -> str:
    try:
        return key_of(fields)
    except RecursionError:
        raise ValueError("the record is nested too deep") from None


def _output(raw: Any) -> Output:
    types = {"path": str, "sha256": str, "size": int, "executable": bool}
    if not isinstance(raw, dict) or {name: type(value) for name, value in raw.items()} != types:
        raise ValueError("the record holds an impossible output")
    return Output(**raw)
