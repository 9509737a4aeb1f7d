"""Where a model goes in a memory that is split, by made-up memory maps."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import cbuild

MIB, GIB, PAGE, MOST = 1 << 20, 1 << 30, 4096, 16


class Region(ctypes.Structure):
    _fields_ = [("at", ctypes.c_uint64), ("bytes", ctypes.c_uint64)]


class Split(ctypes.Structure):
    _fields_ = [("count", ctypes.c_size_t), ("block", Region * MOST), ("found", ctypes.c_uint64)]


Blocks = list[tuple[int, int]]
Plan = Callable[..., tuple[Blocks | None, int]]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """`plan(regions, bytes, spare)`: the blocks, or None, and what could be had."""
    folder: Path = tmp_path_factory.mktemp("split")
    source = cbuild.SOURCES / "uefi" / "split.c"
    cbuild.run(["gcc", *cbuild.flags_of(source), "-fvisibility=default", "-shared", str(source), "-o",
                str(folder / "split.so")])
    library = ctypes.CDLL(str(folder / "split.so"))
    library.split_plan.restype = ctypes.c_bool
    library.split_plan.argtypes = [ctypes.POINTER(Split), ctypes.POINTER(Region), ctypes.c_size_t, ctypes.c_uint64,
                                   ctypes.c_uint64]

    def ask(regions: Sequence[tuple[int, int]], size: int, spare: int = 0) -> tuple[Blocks | None, int]:
        out, given = Split(), (Region * max(1, len(regions)))(*(Region(*region) for region in regions))
        if not library.split_plan(out, given, len(regions), size, spare):
            return None, out.found
        return [(block.at, block.bytes) for block in out.block[:out.count]], out.found

    return ask


# OVMF's q35 with 4 GiB: the PCI hole lies between 2 GiB and 4.
HOLE = [(0x1000, 636 * 1024), (MIB, 7 * MIB), (16 * MIB, 1900 * MIB), (4 * GIB, 2 * GIB)]


def test_one_block_where_there_is_room(plan: Plan) -> None:
    """The end of the highest region that holds it, as firmware does."""
    assert plan(HOLE, 5 * MIB + 1) == ([(6 * GIB - 5 * MIB - PAGE, 5 * MIB + PAGE)], sum(n for _, n in HOLE))
    assert plan(HOLE, 2 * GIB)[0] == [(4 * GIB, 2 * GIB)]
    assert plan(HOLE[:3], 1900 * MIB)[0] == [(16 * MIB, 1900 * MIB)]


def test_two_blocks_around_the_hole(plan: Plan) -> None:
    """The largest region first, with all of it; the rest from the next one's end."""
    blocks, _ = plan(HOLE, 2 * GIB + 100 * MIB + 5, 32 * MIB)
    assert blocks == [(4 * GIB, 2 * GIB), (1816 * MIB - PAGE, 100 * MIB + PAGE)]


def test_something_stays_below_4_gib(plan: Plan) -> None:
    low, high = (MIB, 100 * MIB), (4 * GIB, 50 * MIB)
    assert plan([low, high], 118 * MIB, 32 * MIB) == ([(33 * MIB, 68 * MIB), (4 * GIB, 50 * MIB)], 118 * MIB)
    assert plan([low, high], 118 * MIB + 1, 32 * MIB) == (None, 118 * MIB)
    assert plan([high], 18 * MIB, 32 * MIB)[0] == [(4 * GIB + 32 * MIB, 18 * MIB)]
    assert plan([low, high], MIB, 200 * MIB) == (None, 0)


def test_no_memory_at_all(plan: Plan) -> None:
    assert plan([], 1) == (None, 0)
    assert plan([(MIB, MIB)], 0) == (None, MIB)
    assert plan([(MIB * i * 2, MIB) for i in range(40)], 17 * MIB)[0] is None  # more than 16 pieces


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3 * MIB), st.integers(0, 64 * MIB)), max_size=24), st.integers(1, 400 * MIB),
       st.integers(0, 40 * MIB))
def test_any_map(plan: Plan, gaps: list[tuple[int, int]], size: int, spare: int) -> None:
    """Blocks lie apart in free memory, hold the file, begin at pages and leave what is to be spared."""
    regions, at = [], 0
    for gap, length in gaps:
        regions.append((at + gap, length))
        at += gap + length
    blocks, found = plan(regions, size, spare)
    total = sum(length for _, length in regions)
    assert found <= max(0, total - spare)
    if blocks is None:
        usable = sorted((length // MIB * MIB for _, length in regions), reverse=True)[:MOST]
        assert size > sum(usable) - spare - 26 * MIB
        return
    assert 1 <= len(blocks) <= MOST and size <= sum(n for _, n in blocks) < size + PAGE
    assert all(n % MIB == 0 for _, n in blocks[:-1]) and all(at % PAGE == n % PAGE == 0 for at, n in blocks)
    for start, length in blocks:
        assert any(at <= start and start + length <= at + n for at, n in regions)
    ordered = sorted(blocks)
    assert all(a + n <= b for (a, n), (b, _) in zip(ordered, ordered[1:], strict=False))
    assert total - sum(n for _, n in blocks) >= spare
    if any(length - spare >= size + 2 * PAGE for _, length in regions):
        assert len(blocks) == 1
