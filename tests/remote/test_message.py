"""The message under /ac is Bazel's ActionResult, byte for byte; a hostile one is an error, never more."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain.remote import message
from toolchain.remote.message import File, decode, encode

FILES = (File("a.bin", "a" * 64, 300), File("sub/run", "b" * 64, 0, True))
# What protoc's own classes for build.bazel.remote.execution.v2 write for the same files.
GOLDEN = (b"\x12N\n\x05a.bin\x12E\n@" + b"a" * 64 + b"\x10\xac\x02"
          b"\x12O\n\x07sub/run\x12B\n@" + b"b" * 64 + b" \x01")
# The same with `stdout_raw` and with the name of a worker, which bazel-remote adds.
MORE = b"*\x05helloJ\n\n\x0810.0.0.1"


def test_equals_what_bazels_classes_write() -> None:
    assert encode(FILES) == encode(reversed(FILES)) == GOLDEN


def test_reads_what_bazels_classes_write() -> None:
    assert decode(GOLDEN + MORE) == FILES


def test_the_proto_holds_fields_of_bazels_numbers() -> None:
    text = message._PROTO.read_text()
    assert re.findall(r"(\w+) = (\d+);", text) == [
        ("hash", "1"), ("size_bytes", "2"), ("path", "1"), ("digest", "2"), ("is_executable", "4"),
        ("output_files", "2"), ("exit_code", "4")]


PATHS = st.text(min_size=1, max_size=20).filter(lambda path: path.isprintable() and message.is_inside(path))


@given(st.lists(st.builds(File, PATHS, st.text("0123456789abcdef", min_size=64, max_size=64),
                          st.integers(0, 2**63 - 1), st.booleans()), unique_by=lambda file: file.path))
def test_round_trip(files: list[File]) -> None:
    assert decode(encode(files)) == tuple(sorted(files, key=lambda file: file.path))


@given(st.binary(max_size=300))
def test_garbage_is_refused_or_harmless(data: bytes) -> None:
    _refused_or_harmless(data)


@given(st.data())
def test_damaged_messages_are_refused_or_harmless(data: st.DataObject) -> None:
    raw = bytearray(GOLDEN + MORE)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    _refused_or_harmless(bytes(raw[: data.draw(st.integers(0, len(raw)))]))


def _refused_or_harmless(data: bytes) -> None:
    try:
        files = decode(data)
    except ValueError:
        return
    for file in files:
        assert message.is_inside(file.path) and message.is_digest(file.sha256) and file.size >= 0


@pytest.mark.parametrize("path", ["", ".", "..", "/etc/passwd", "../../x", "a/../../b", "a/..", "a\0b", "x" * 5000])
def test_paths_that_lead_out(path: str) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        decode(encode([File(path, "a" * 64, 1)]))


@pytest.mark.parametrize("file", [File("a", "A" * 64, 1), File("a", "", 1), File("a", "a" * 63, 1),
                                  File("a", "../" + "a" * 61, 1), File("a", "a" * 64, -1)])
def test_impossible_digests(file: File) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        decode(encode([file]))


def test_a_path_named_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        decode(GOLDEN + GOLDEN)


def test_the_result_of_a_failure() -> None:
    with pytest.raises(ValueError, match="failure"):
        decode(GOLDEN + b"\x20\x01")
