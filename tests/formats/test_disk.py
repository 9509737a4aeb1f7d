"""Partition tables and FAT file systems that sgdisk and mtools made, whole and damaged."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolchain.formats import FormatError, fat, gpt

IMAGE = Path(__file__).resolve().parents[2] / "toolchain" / "image.py"
FILES = {
    "EFI/BOOT/BOOTX64.EFI": b"MZ" + bytes(range(256)) * 300,
    "a-rather-long-name.with.dots.txt": b"text",
    "empty": b"",
    "models/second/model.gguf": bytes(5000),
}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("disk")
    words: list[str] = []
    for index, (path, content) in enumerate(FILES.items()):
        (folder / str(index)).write_bytes(content)
        words += ["--file", f"{path}={index}"]
    subprocess.run([sys.executable, IMAGE, "--out", "disk.img", "--label", "INGOT", *words], cwd=folder, check=True)
    return (folder / "disk.img").read_bytes()


def contents(disk: bytes) -> dict[str, bytes]:
    file = io.BytesIO(disk)
    esp = gpt.esp(file, len(disk))
    system = fat.Fat(file, esp.first, esp.size)
    return {entry.path: b"".join(system.read(entry)) for entry in system.files()}


def test_what_sgdisk_and_mtools_wrote(disk: bytes) -> None:
    table = gpt.table(io.BytesIO(disk), len(disk))
    assert table.disk == len(disk) and len(table.partitions) == 1
    assert table.partitions[0].type == uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
    assert table.partitions[0].name == "INGOT" and table.partitions[0].first == 1 << 20
    assert contents(disk) == FILES


def test_a_disk_larger_than_the_image(disk: bytes) -> None:
    file = io.BytesIO(disk + bytes(1 << 20))
    assert gpt.table(file, len(disk) + (1 << 20)).disk == len(disk)


def test_a_disk_smaller_than_the_image(disk: bytes) -> None:
    with pytest.raises(FormatError):
        gpt.table(io.BytesIO(disk[:-512]), len(disk) - 512)


@pytest.mark.parametrize("sector", [1, 2, -1, -2])
def test_every_byte_of_the_table_counts(disk: bytes, sector: int) -> None:
    """Headers and first entries of both copies: each byte is under a checksum, or decides where the other lies."""
    at = sector * 512 if sector > 0 else len(disk) + (sector if sector == -1 else -32 + -1) * 512
    for offset in range(92):
        broken = bytearray(disk)
        broken[at + offset] ^= 1
        with pytest.raises(FormatError):
            gpt.table(io.BytesIO(broken), len(broken))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damage_is_an_error_or_other_content(disk: bytes, data: st.DataObject) -> None:
    """Never a traceback of another kind, never a loop: bytes changed in the tables, the folders and between."""
    esp = gpt.esp(io.BytesIO(disk), len(disk))
    broken = bytearray(disk)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.one_of(st.integers(0, 2048), st.integers(esp.first, esp.first + 600),
                                 st.integers(esp.first + 32 * 512, esp.first + 40 * 512),
                                 st.integers(esp.first, len(disk) - 1)))
        broken[at] = data.draw(st.integers(0, 255))
    try:
        file = io.BytesIO(broken)
        system = fat.Fat(file, esp.first, esp.size)
        for entry in system.files():
            hashlib.sha256(b"".join(system.read(entry)))
        gpt.table(file, len(broken))
    except FormatError:
        pass


def test_a_folder_inside_itself(disk: bytes) -> None:
    broken = bytearray(disk)
    at = broken.index(b"EFI        ")
    broken[at + 20:at + 22], broken[at + 26:at + 28] = bytes(2), (2).to_bytes(2, "little")  # the root's own cluster
    with pytest.raises(FormatError, match="belongs to something else too"):
        contents(bytes(broken))
