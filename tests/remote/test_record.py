"""Our own record in a message: it is of the key asked for and says what the message says, or it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain.key import key_of
from toolchain.remote.message import File
from toolchain.remote.record import PATH, decode, encode, own_file
from toolchain.store import Output, Result

FIELDS: dict[str, Any] = {"format": 1, "stage": "link", "outputs": ["out", "tool"], "params": {"rate": 0.1, "é": [1]}}
RESULT = Result(key_of(FIELDS), "link", (Output("out", "a" * 64, 5, False), Output("tool", "b" * 64, 7, True)), 2.5,
                "docker", FIELDS)
DATA, FILES = encode(RESULT)


def test_round_trip() -> None:
    assert decode(DATA, RESULT.key, FILES) == RESULT
    assert decode(DATA, RESULT.key, FILES).fetched is True, "whoever reads it has it from elsewhere"
    assert encode(replace(RESULT, fetched=False)) == (DATA, FILES), "and it does not say where it was made"
    assert own_file(FILES).path == PATH and own_file(FILES).size == len(DATA)


def test_a_result_of_unknown_fields_is_not_shared() -> None:
    for fields in ({}, {**FIELDS, "stage": "other"}):
        with pytest.raises(ValueError, match="fields"):
            encode(replace(RESULT, fields=fields))


def test_an_output_in_our_place_is_not_shared() -> None:
    fields = {**FIELDS, "outputs": [PATH]}
    with pytest.raises(ValueError, match="one of its outputs"):
        encode(Result(key_of(fields), "link", (Output(PATH, "a" * 64, 5, False),), 1.0, "host", fields))


def changed(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda record: record.update(fields)


def in_output(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda record: record["outputs"][0].update(fields)


@pytest.mark.parametrize("change", [
    changed(key="0" * 64),
    changed(fields={}),
    changed(fields={**FIELDS, "argv": ["rm"]}),
    changed(fields=[FIELDS]),
    changed(stage="train"),
    changed(outputs=[]),
    changed(outputs="out"),
    changed(outputs=["out", "tool"]),
    changed(seconds="1"),
    changed(seconds=-1),
    changed(seconds=float("nan")),
    changed(seconds=float("inf")),
    changed(seconds=10**400),
    changed(executor="\x1b[31m"),
    changed(executor="x" * 5000),
    changed(executor=None),
    in_output(path="other"),
    in_output(path="../out"),
    in_output(sha256="c" * 64),
    in_output(size=6),
    in_output(size=True),
    in_output(size="5"),
    in_output(executable=True),
    in_output(more=1),
    lambda record: record["outputs"].reverse(),
    lambda record: record["outputs"].pop(),
    lambda record: record.pop("fields"),
    lambda record: record.pop("executor"),
])
def test_what_does_not_agree_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    record = json.loads(DATA)
    change(record)
    with pytest.raises(ValueError):
        decode(json.dumps(record).encode(), RESULT.key, FILES)


def test_another_key_gets_nothing() -> None:
    with pytest.raises(ValueError, match="another key"):
        decode(DATA, "0" * 64, FILES)


@pytest.mark.parametrize("files", [FILES[:1] + FILES[2:], (*FILES, File("more", "c" * 64, 1))])
def test_a_message_of_other_files_is_refused(files: tuple[File, ...]) -> None:
    with pytest.raises(ValueError, match="differ"):
        decode(DATA, RESULT.key, files)


def test_a_message_of_another_program_is_refused() -> None:
    with pytest.raises(ValueError, match="no record"):
        own_file(FILES[:2])


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"outputs": []}',
                                  b'{"fields": ' + b"[" * 100_000, DATA[:-1]])
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode(data, RESULT.key, FILES)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


@given(st.dictionaries(st.sampled_from(["key", "stage", "fields", "outputs", "seconds", "executor"]), JSON))
def test_any_json_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        decode(json.dumps(record).encode(), RESULT.key, FILES)


@given(st.sampled_from(["key", "stage", "fields", "outputs"]), JSON)
def test_any_other_value_is_refused(name: str, value: Any) -> None:
    record = json.loads(DATA)
    if record[name] == value:
        return
    record[name] = value
    with pytest.raises(ValueError):
        decode(json.dumps(record).encode(), RESULT.key, FILES)
