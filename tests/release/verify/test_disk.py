"""Images and disks: compared with their release, larger than the image, damaged, compressed with malice."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.release.conftest import Released
from tests.release.verify.conftest import NAME, PACKED, Signed, flip, liar
from toolchain.errors import UserError
from toolchain.formats import FormatError, gpt, zstd
from toolchain.release import EFI
from toolchain.release.verify import Lie, Line, Trusted, disk, image

MIB = 1 << 20


def check(path: Path, of: Path | None, trusted: Trusted | None = None) -> list[Line]:
    lines: list[Line] = []
    disk(path, of, trusted or Trusted(), lines.append, lambda *_: None)
    return lines


@pytest.fixture
def img(released: Released, tmp_path: Path) -> Path:
    """The image, unpacked: as it lies on a stick."""
    data = zstandard.ZstdDecompressor().decompress((released.folder / PACKED).read_bytes())
    (tmp_path / "stick").write_bytes(data)
    return tmp_path / "stick"


def test_an_image_of_its_release(img: Path, released: Released) -> None:
    assert f"it is {NAME}.img, byte for byte" in check(img, released.folder)[-1].text


def test_a_device_is_larger_than_the_image(img: Path, released: Released) -> None:
    with img.open("ab") as file:
        file.write(b"left over from before" * 1000)
    said, last = check(img, released.folder)[-2:]
    assert "byte for byte" in said.text and "21,000 bytes follow" in last.text and not last.good


def test_without_a_release_it_says_what_it_cannot_know(img: Path) -> None:
    lines = check(img, None)
    assert "could not be known" in lines[-1].text and not lines[-1].good
    assert any(line.file == "EFI/BOOT/BOOTX64.EFI" and "sha256 " in line.text for line in lines)


def test_compressed(released: Released) -> None:
    assert "byte for byte" in check(released.folder / PACKED, released.folder)[-1].text


def test_the_signed_image(signed: Signed) -> None:
    lines = check(signed.folder / PACKED, signed.folder, signed.trusted)
    assert any("by cert=" in line.text for line in lines)


def test_the_unsigned_program_on_a_disk(img: Path, signed: Signed) -> None:
    assert "cert= asks" in liar(lambda: check(img, None, signed.trusted)).text
    assert "EFI/BOOT/BOOTX64.EFI is not of this release" in liar(lambda: check(img, signed.folder)).text


def test_a_broken_release_vouches_for_nothing(img: Path, signed: Signed) -> None:
    flip(signed.folder / EFI, 100)
    assert liar(lambda: check(img, signed.folder)).file == EFI


def where(img: Path, what: bytes) -> int:
    return img.read_bytes().index(what)


def test_an_altered_program_is_named(img: Path, released: Released) -> None:
    flip(img, where(img, (released.folder / EFI).read_bytes()[:4096]) + 2000)
    lie = liar(lambda: check(img, released.folder))
    assert "EFI/BOOT/BOOTX64.EFI is not of this release" in lie.text and lie.file == str(img)


def test_bytes_between_the_files(img: Path, released: Released) -> None:
    for at in (200, 40_000, 34 * MIB):  # boot code, a gap, an unused cluster
        flip(img, at)
        assert "not all bytes around them" in liar(lambda: check(img, released.folder)).text, at
        flip(img, at)


def test_truncated(img: Path, released: Released) -> None:
    for size in (0, 1, 511, 512, 1024, MIB, 20 * MIB, img.stat().st_size - 1):
        with img.open("r+b") as file:
            file.truncate(size)
        assert liar(lambda: check(img, None)).file == str(img)
        with img.open("r+b") as file:
            file.truncate(36_700_160)


def test_what_is_no_disk(tmp_path: Path, released: Released) -> None:
    for path in (Path("/dev/null"), Path("/dev/tty")):
        with pytest.raises(UserError):
            check(path, None)
    (tmp_path / "text").write_text("hello")
    assert "partition table" in liar(lambda: check(tmp_path / "text", None)).text


# -- damage ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bytes_of(released: Released) -> Iterator[bytearray]:
    yield bytearray(zstandard.ZstdDecompressor().decompress((released.folder / PACKED).read_bytes()))


class Disk(io.RawIOBase):
    """Bytes as a file, without a copy of them."""

    def __init__(self, data: bytearray) -> None:
        self.data, self.at = data, 0

    def seek(self, at: int, whence: int = 0) -> int:
        self.at = at
        return at

    def read(self, count: int = -1) -> bytes:
        found = bytes(self.data[self.at:self.at + count])
        self.at += len(found)
        return found


SPOTS = st.one_of(st.integers(512, 34 * 512), st.integers(36_700_160 - 33 * 512, 36_700_159),
                  st.integers(MIB, MIB + 512), st.integers(MIB, MIB + 700_000))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.lists(st.tuples(SPOTS, st.binary(min_size=1, max_size=40)), min_size=1, max_size=4))
def test_damage_is_a_lie_or_harmless(bytes_of: bytearray, damage: list[tuple[int, bytes]]) -> None:
    kept = [(at, bytes(bytes_of[at:at + len(data)])) for at, data in damage]
    try:
        for at, data in damage:
            bytes_of[at:at + len(data)] = data[:len(bytes_of) - at]
        image.look(Disk(bytes_of), len(bytes_of), "disk")  # type: ignore[arg-type]
    except Lie as lie:
        assert lie.file == "disk"
    finally:
        for at, data in reversed(kept):
            bytes_of[at:at + len(data)] = data


def test_a_damaged_table_of_partitions(bytes_of: bytearray) -> None:
    """Both copies have checksums: one byte is always found."""
    for at in (*range(512, 512 + 92), 1024, 1040, 1056, 36_700_160 - 512 + 20, 36_700_160 - 33 * 512 + 3):
        bytes_of[at] ^= 1
        assert "partition table" in liar(lambda: image.look(
            Disk(bytes_of), len(bytes_of), "disk")).text, at  # type: ignore[arg-type]
        bytes_of[at] ^= 1


def test_files_that_overlap_are_not_read_for_ever(bytes_of: bytearray) -> None:
    """A root folder full of entries that all claim the same clusters, each as large as the partition."""
    partition = gpt.esp(Disk(bytes_of), len(bytes_of))  # type: ignore[arg-type]
    first = image.fat.Fat(Disk(bytes_of), partition.first, partition.size)  # type: ignore[arg-type]
    entry = first.files()[0]
    root = partition.first + first.where(first._root)
    kept = bytes(bytes_of[root:root + 512])
    claims = b"".join(b"FILE%04dBIN" % n + b"\x20" + bytes(8) + entry.raw[20:22] + bytes(4) + entry.raw[26:28]
                      + (33_000_000).to_bytes(4, "little") for n in range(15))
    try:
        bytes_of[root:root + len(claims)] = claims
        assert "belongs to something else" in liar(lambda: image.look(
            Disk(bytes_of), len(bytes_of), "disk")).text  # type: ignore[arg-type]
    finally:
        bytes_of[root:root + 512] = kept


# -- compression ----------------------------------------------------------------------------------


def unpack(path: Path, most: int = 100 * MIB) -> None:
    unpacked, _, _ = image.unpack(path, most, lambda *_: None)
    unpacked.close()


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.img.zst"
    path.write_bytes(zstandard.ZstdCompressor().compress(bytes(200 * MIB)))
    assert path.stat().st_size < 100_000
    assert "at most" in liar(lambda: unpack(path)).text


def test_more_than_is_said(tmp_path: Path, released: Released) -> None:
    path = tmp_path / "more.img.zst"
    good = (released.folder / PACKED).read_bytes()
    for extra in (b"\0", b"garbage", good[:100], zstandard.ZstdCompressor().compress(bytes(200 * MIB))):
        path.write_bytes(good + extra)
        assert f"{len(extra)} bytes follow" in liar(lambda: unpack(path)).text


@given(st.binary(max_size=2000), st.booleans(), st.booleans(), st.integers(-5, 19), st.binary(max_size=20))
def test_where_a_frame_ends(data: bytes, sized: bool, summed: bool, level: int, after: bytes) -> None:
    frame = zstandard.ZstdCompressor(level=level, write_checksum=summed, write_content_size=sized).compress(data * 90)
    assert zstd.frame_end(io.BytesIO(frame + after)) == len(frame)
    for short in (0, 1, 4, 5, len(frame) - 1):
        with pytest.raises(FormatError):
            zstd.frame_end(io.BytesIO(frame[:short]))


def test_nothing_is_said(tmp_path: Path) -> None:
    path = tmp_path / "silent.img.zst"
    path.write_bytes(zstandard.ZstdCompressor(write_content_size=False).compress(b"hello"))
    assert "does not say" in liar(lambda: unpack(path)).text
    path.write_bytes(zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(
        window_log=28, compression_level=1)).compress(bytes(90 * MIB)))
    unpack(path)


@given(st.binary(max_size=300))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.img.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + data)
    assert liar(lambda: unpack(path)).file == path.name
    path.write_bytes(data)
    assert liar(lambda: unpack(path)).file == path.name
