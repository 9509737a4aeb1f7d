"""What is said of two files that differ: the part by its name, and never nothing."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.test_gguf import written
from tests.formats.test_pe import program
from toolchain.differ import LINES, differences, lines
from toolchain.differ.span import Span, span
from toolchain.formats.gguf import parse

IMAGE = Path(__file__).resolve().parents[2] / "toolchain" / "image.py"


def image(folder: Path, name: str, files: dict[str, bytes]) -> bytes:
    """A bootable disk with these files."""
    words: list[str] = []
    for index, (path, content) in enumerate(files.items()):
        (folder / f"{name}{index}").write_bytes(content)
        words += ["--file", f"{path}={name}{index}"]
    subprocess.run([sys.executable, IMAGE, "--out", f"{name}.img", "--label", "INGOT", *words], cwd=folder, check=True)
    return (folder / f"{name}.img").read_bytes()


def elf(text: bytes, size: int = 16) -> bytes:
    """A small object: .text, one function in it, the names."""
    names = b"\0.text\0.symtab\0.strtab\0"
    strings = b"\0first\0second\0"
    symbols = bytes(24) + b"".join(struct.pack("<IBBHQQ", name, 2, 0, 1, at, size) for name, at in ((1, 0), (7, size)))
    body = text + symbols + strings + names
    at = 64
    table = [(0, 0, 0, 0, 0, 0, 0, 0, 0, 0), (1, 1, 6, 0, at, len(text), 0, 0, 1, 0),
             (7, 2, 0, 0, at + len(text), len(symbols), 3, 1, 8, 24),
             (15, 3, 0, 0, at + len(text) + len(symbols), len(strings), 0, 0, 1, 0),
             (15, 3, 0, 0, at + len(text) + len(symbols) + len(strings), len(names), 0, 0, 1, 0)]
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 1, 62, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64,
                       len(table), 4)
    return head + body + b"".join(struct.pack("<IIQQQQIIQQ", *row) for row in table)


@pytest.fixture
def told(tmp_path: Path) -> Callable[[bytes, bytes], str]:
    """`told(old, new)`: the lines as one text."""

    def tell(old: bytes, new: bytes) -> str:
        (tmp_path / "old").write_bytes(old)
        (tmp_path / "new").write_bytes(new)
        return "\n".join(differences(tmp_path / "old", tmp_path / "new"))

    return tell


Told = Callable[[bytes, bytes], str]


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_spans(old: bytes, new: bytes) -> None:
    wrong = [i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b]
    common = min(len(old), len(new))
    expected = None if old == new else Span(wrong[0] if wrong else common, len(wrong), len(old), len(new))
    assert span(old, new) == expected


def test_a_span_beyond_the_first_piece() -> None:
    old = bytes(3 << 20)
    new = bytearray(old)
    new[(1 << 20) + 5] = new[(2 << 20) + 7] = 1
    assert span(old, bytes(new)) == Span((1 << 20) + 5, 2, 3 << 20, 3 << 20)


def test_nothing_differs(told: Told) -> None:
    assert told(b"", b"") == "" and told(program(), program()) == ""


def test_a_byte_of_no_format(told: Told) -> None:
    found = told(b"\xff\0abc", b"\xff\0abd")
    assert "1 of 5 differ, the first at 4 (0x4)" in found
    assert "- 00000000  ff 00 61 62 63" in found and "+ 00000000  ff 00 61 62 64" in found


def test_two_kinds(told: Told) -> None:
    assert "the first is a PE program, the second text" in told(program(), b"text\n")


def test_texts(told: Told) -> None:
    found = told(b"one\ntwo\nthree\n", b"one\n2\nthree\n")
    assert "the first line that differs is 2" in found and "\n-two\n+2\n three" in found
    assert "\\r\\n" in told(b"one\r\n", b"one\n")


def test_a_long_text_is_cut(told: Told) -> None:
    found = told(b"".join(b"a%d\n" % i for i in range(9000)), b"".join(b"b%d\n" % i for i in range(9000)))
    assert found.count("\n") == LINES and found.endswith("and more")


def test_what_moves_a_cursor_is_not_shown(told: Told) -> None:
    assert "\x1b" not in told(b"a\x1b[2Jb\n", b"a\x1b[2Jc\n")


def test_a_section_of_a_program(told: Told) -> None:
    found = told(program(), program(code=b"\x90" * 499 + b"\x91"))
    assert "section .text: 1 of 512 differ, the first at 499 (0x1f3)" in found and "header:" not in found


def test_header_fields_of_a_program(told: Told) -> None:
    stamped = bytearray(program())
    stamped[64 + 8:64 + 12] = (1_700_000_000).to_bytes(4, "little")
    assert "header: timestamp 0 -> 1700000000" in told(program(), bytes(stamped))


def test_a_signature(told: Told) -> None:
    found = told(program(b"c" * 16, 7), program())
    assert "signature: only in the first" in found and "header: checksum 7 -> 0" in found


def test_what_follows_a_program(told: Told) -> None:
    assert "behind the last section" in told(program() + b"x", program() + b"y")


def test_the_function_of_an_object(told: Told) -> None:
    other = bytearray(32)
    other[20] = 1
    found = told(elf(bytes(32)), elf(bytes(other)))
    assert "section .text, in second: 1 of 32 differ, the first at 20 (0x14)" in found


def test_keys_of_a_model(told: Told, tmp_path: Path) -> None:
    found = told(written(tmp_path).read_bytes(), written(tmp_path, "grown", tokens=6).read_bytes())
    assert "key general.name: 'tiny' -> 'grown'" in found and "key a.tokens: 5 -> 6 items" in found


def test_numbers_of_a_tensor(told: Told, tmp_path: Path) -> None:
    whole = written(tmp_path).read_bytes()
    other = bytearray(whole)
    at = whole.index(struct.pack("<2f", 7.0, 8.0))
    other[at:at + 8] = struct.pack("<2f", 7.5, 10.0)
    found = told(whole, bytes(other))
    assert "tensor w: 2 of 64 elements differ, the first is 7: 7.0 -> 7.5, the largest difference 2" in found


def test_blocks_of_a_quantised_tensor(told: Told, tmp_path: Path) -> None:
    whole = bytearray(written(tmp_path).read_bytes())
    whole[parse(bytes(whole), len(whole)).tensors["q"].first + 40] ^= 1
    found = told(written(tmp_path).read_bytes(), bytes(whole))
    assert "tensor q: 1 of 68 differ, the first at 40 (0x28), which is in element 32 or one of the 31 after it" in found


def test_files_of_a_disk_down_to_the_section(told: Told, tmp_path: Path) -> None:
    old = image(tmp_path, "old", {"EFI/BOOT/BOOTX64.EFI": program(), "a.txt": b"same"})
    new = image(tmp_path, "new", {"EFI/BOOT/BOOTX64.EFI": program(code=b"\x90" * 499 + b"\x91"), "a.txt": b"same"})
    found = told(old, new)
    assert "partition table: disk GUID" in found and "FAT's first sector: serial number" in found
    assert "file EFI/BOOT/BOOTX64.EFI: its content differs" in found
    assert "  section .text: 1 of 512 differ, the first at 499" in found and "a.txt" not in found


def test_times_of_a_file_on_a_disk(told: Told, tmp_path: Path) -> None:
    old = image(tmp_path, "old", {"a.txt": b"text"})
    new = bytearray(old)
    at = old.index(b"A       TXT")
    new[at + 24:at + 26] = (46 << 9 | 11 << 5 | 21).to_bytes(2, "little")
    assert "file a.txt: written 1980-01-01 00:00:00 -> 2026-11-21 00:00:00" in told(old, bytes(new))


def test_free_space_of_a_disk_is_not_passed_over(told: Told, tmp_path: Path) -> None:
    old = image(tmp_path, "old", {"a.txt": b"text"})
    new = bytearray(old)
    new[len(old) - (4 << 20)] = 1
    assert "place data (files, folders, free space): 1 of" in told(old, bytes(new))


def test_only_in_one(told: Told, tmp_path: Path) -> None:
    found = told(image(tmp_path, "old", {"a": b"1"}), image(tmp_path, "new", {"a": b"1", "b": b"2"}))
    assert "file b: only in the second" in found


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("wholes")
    disk = image(folder, "disk", {"EFI/BOOT/BOOTX64.EFI": program(), "m.gguf": written(folder).read_bytes()})
    return [program(b"c" * 16), elf(bytes(64)), written(folder).read_bytes(), b"some\ntext\n" * 20, disk]


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_damage_is_never_a_traceback_and_never_passed_over(wholes: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.sampled_from([0, 0, 1, 1, 2, 2, 3, 4]))
    broken = bytearray(wholes[index])
    top = min(len(broken) - 1, 2 << 20)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.one_of(st.integers(0, min(600, top)), st.integers(0, top)))
        broken[at] = data.draw(st.integers(0, 255))
    end = len(broken) if index == 4 else data.draw(st.integers(0, len(broken)))
    for old, new in ((wholes[index], bytes(broken[:end])), (bytes(broken[:end]), wholes[index])):
        assert bool(list(lines(memoryview(old), memoryview(new)))) == (old != new)
