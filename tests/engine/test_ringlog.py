"""Zone C: the log is found again, in order, whatever was written last and whatever was damaged."""

from __future__ import annotations

import ctypes
import random
import struct
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.hostile import answers
from tests.engine.test_settings import Error

HEADER, RECORD, TEXT, ALIGN = 64, 128, 100, 64
WRITE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t)


class Log(ctypes.Structure):
    _fields_ = [("records", ctypes.c_void_p), ("count", ctypes.c_uint32), ("next", ctypes.c_uint64)]


class Ring:
    """A log in memory of Python's, which may begin where nothing is aligned."""

    def __init__(self, engine: ctypes.CDLL, size: int, records: int = -1) -> None:
        self.engine, self.log, self.error = engine, Log(), Error()
        self.memory = ctypes.create_string_buffer(size + ALIGN)
        self.at = ctypes.addressof(self.memory) + -ctypes.addressof(self.memory) % ALIGN
        self.size = size if records < 0 else HEADER + records * RECORD

    def create(self) -> int:
        return int(self.engine.ringlog_create(ctypes.byref(self.log), ctypes.c_void_p(self.at),
                                              ctypes.c_size_t(self.size), ctypes.byref(self.error)))

    def add(self, text: bytes, level: int = 0, time_us: int = 0) -> None:
        self.engine.ringlog_add(ctypes.byref(self.log), ctypes.c_uint64(time_us), level, text,
                                ctypes.c_size_t(len(text)))

    def open(self) -> bool:
        """As another program would after a crash: nothing but the memory."""
        self.log = Log()
        return bool(self.engine.ringlog_open(ctypes.byref(self.log), ctypes.c_void_p(self.at),
                                             ctypes.c_size_t(self.size)))

    def dump(self) -> list[str]:
        said: list[bytes] = []
        self.engine.ringlog_dump(ctypes.byref(self.log), WRITE(lambda _, text, n: said.append(text[:n])), None)
        lines = b"".join(said).decode().splitlines(keepends=True)
        assert len(lines) == len(said)
        assert all(line.endswith("\n") for line in lines)
        return [line[:-1] for line in lines]

    def bytes(self) -> bytes:
        return ctypes.string_at(self.at, self.size)


def ring(engine: ctypes.CDLL, records: int) -> Ring:
    made = Ring(engine, HEADER + records * RECORD)
    assert made.create() == 0
    return made


@settings(deadline=None)
@given(records=st.integers(1, 9), added=st.integers(0, 40), again=st.integers(0, 12))
def test_the_newest_in_order_and_after_a_crash(engine: ctypes.CDLL, records: int, added: int, again: int) -> None:
    r = ring(engine, records)
    for i in range(added):
        r.add(b"%d" % i, time_us=i)
    expected = [f"[0.{i:06}] info: {i}" for i in range(added)][-records:]
    assert r.dump() == expected
    assert r.open()
    assert r.log.next == added
    assert r.dump() == expected
    for i in range(added, added + again):
        r.add(b"%d" % i, time_us=i)
    assert r.dump() == [f"[0.{i:06}] info: {i}" for i in range(added + again)][-records:]


def test_levels_times_and_text(engine: ctypes.CDLL) -> None:
    r = ring(engine, 8)
    for level, word in enumerate(("info", "warning", "error", "crash", "unknown")):
        r.add(b"x", level, 12_345_678)
        assert r.dump()[-1] == f"[12.345678] {word}: x"
    r.add(b"a\nb\tc\x1b[2J\xff\xc3", time_us=2**64 - 1)
    assert r.dump()[-1] == "[18446744073709.551615] info: a b c[2J\ufffd\ufffd"
    r.add(b"")
    assert r.dump()[-1] == "[0.000000] info: "


@pytest.mark.parametrize(("text", "kept"), [
    ("x" * 100, "x" * 100), ("x" * 101, "x" * 100), ("x" * 99 + "\u00e9", "x" * 99),
    ("x" * 98 + "\u00e9", "x" * 98 + "\u00e9"),
    ("x" * 97 + "\U0001f600", "x" * 97), ("x" * 96 + "\U0001f600y", "x" * 96 + "\U0001f600"),
    ("\u20ac" * 50, "\u20ac" * 33)])
def test_cut_between_code_points(engine: ctypes.CDLL, text: str, kept: str) -> None:
    r = ring(engine, 2)
    r.add(text.encode())
    assert r.dump() == [f"[0.000000] info: {kept}"]


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(engine: ctypes.CDLL, text: bytes) -> None:
    r = ring(engine, 2)
    r.add(text, 2, 2**64 - 1)
    (line,) = r.dump()
    assert not any(unicodedata.category(c) == "Cc" for c in line)
    if len(text) <= TEXT:
        shown = "".join(c for c in text.decode(errors="replace").replace("\n", " ").replace("\t", " ")
                        if unicodedata.category(c) != "Cc")
        assert line.split(": ", 1)[1] == shown


def test_sizes(engine: ctypes.CDLL) -> None:
    for size in (0, 1, HEADER, HEADER + RECORD - 1):
        r = Ring(engine, size)
        assert r.create() == 1  # E_MEMORY
        assert not r.open()
    r = Ring(engine, HEADER + 3 * RECORD - 1)
    assert r.create() == 0
    assert r.log.count == 2
    r = Ring(engine, 1024)
    r.at += 8
    assert r.create() == 5  # E_RANGE


def test_a_record_half_written_is_passed_over(engine: ctypes.CDLL) -> None:
    r = ring(engine, 4)
    for i in range(6):
        r.add(b"%d" % i)
    for at in (HEADER + 1 * RECORD + 40, HEADER + 3 * RECORD):  # record 5's text; record 3's checksum
        ctypes.memset(r.at + at, 0xEE, 1)
    assert [line[-1] for line in r.dump()] == ["2", "4"]
    assert r.open()
    assert r.log.next == 5
    assert [line[-1] for line in r.dump()] == ["2", "4"]
    r.add(b"6")
    assert [line[-1] for line in r.dump()] == ["2", "4", "6"]


def test_a_record_never_written_leaves_no_older_one_in_its_place(engine: ctypes.CDLL) -> None:
    """As when an exception comes while one is added, and logs itself."""
    r = ring(engine, 4)
    for i in range(5):
        r.add(b"%d" % i)
    r.log.next += 1  # 5 is lost: 1 still lies there
    r.add(b"6")
    assert [line[-1] for line in r.dump()] == ["3", "4", "6"]


@pytest.mark.parametrize("at", [*range(24)])
def test_a_damaged_header_is_no_log(engine: ctypes.CDLL, at: int) -> None:
    r = ring(engine, 4)
    r.add(b"x")
    data = bytearray(r.bytes())
    data[at] ^= 0x10
    ctypes.memmove(r.at, bytes(data), len(data))
    assert not r.open()


def fnv(data: bytes) -> int:
    total = 0xCBF29CE484222325
    for byte in data:
        total = (total ^ byte) * 0x100000001B3 % 2**64
    return total


def test_lies_with_right_checksums(engine: ctypes.CDLL, hostile_cases: Path) -> None:
    """A header that says more than there is, records of other places and impossible lengths."""
    r = ring(engine, 4)
    r.add(b"x")
    whole = r.bytes()
    assert answers(hostile_cases, "l", [whole]) == [["[0.000000] info: x", "next 2"]]

    def header(size: int, records: int) -> bytes:
        start = whole[:8] + struct.pack("<II", size, records)
        return start + struct.pack("<Q", fnv(start)) + whole[24:]

    def record(number: int, length: int, slot: int = 0) -> bytes:
        body = struct.pack("<QQHH100s", number, 5, 0, length, b"y")
        made, at = bytearray(whole), HEADER + slot * RECORD
        made[at : at + RECORD] = struct.pack("<Q", fnv(body)) + body
        return bytes(made)

    said = answers(hostile_cases, "l", [
        header(RECORD, 4), header(RECORD, 5), header(RECORD, 0), header(RECORD, 2**32 - 1), header(64, 4),
        record(4, 1), record(1, 1), record(0, 101), record(2**64 - 4, 1), record(2**63 - 4, 1), record(2**62, 1)])
    none = ["next 1"]
    last = ["[0.000005] info: y", f"next {2**63 - 2}"]
    assert said == [["[0.000000] info: x", "next 2"], ["none"], ["none"], ["none"], ["none"],
                    ["[0.000005] info: y", "next 6"], none, none, none, last,
                    ["[0.000005] info: y", f"next {2**62 + 2}"]]


def test_damaged_memory(engine: ctypes.CDLL, hostile_cases: Path) -> None:
    """Under the sanitizers, in memory of exactly its size: cut at every byte, and much of it changed."""
    rng, r = random.Random(6), ring(engine, 5)
    for i in range(13):
        r.add(b"line %d" % i, i % 4, i * 1000)
    whole, cases = r.bytes(), []
    cases += [whole[:n] for n in range(len(whole) + 1)]
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        cases.append(bytes(data))
    right = {f"[0.{i * 1000:06}] {('info', 'warning', 'error', 'crash')[i % 4]}: line {i}" for i in range(13)}
    for lines in answers(hostile_cases, "l", cases):
        assert lines == ["none"] or lines[-1].startswith("next ")
        assert set(lines[:-1]) <= right  # what is damaged is not shown
