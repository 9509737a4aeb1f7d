"""What lies in a release beside what was rebuilt: signed or not, altered, damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard

from tests.differ.test_differ import image
from tests.formats.test_pe import program
from toolchain import release
from toolchain.errors import UserError
from toolchain.key import key_of
from toolchain.release.provenance import File, Provenance, StageRecord, encode
from toolchain.reproduce import released
from toolchain.reproduce.compare import DIFFERS, GONE, SAME, Row
from toolchain.reproduce.released import Released

EFI = "EFI/BOOT/BOOTX64.EFI"
SIGNED = program(b"c" * 16, 7)


def stage(name: str = "link", digest: str = "a" * 64) -> StageRecord:
    fields = {"stage": name, "outputs": ["x"], "argv": ["ld"], "inputs": {}, "params": {}, "toolchain": "cc:1"}
    return StageRecord(name, key_of(fields), fields, {}, "docker", {"x": File(digest, 1)}, 1.0)


@pytest.fixture
def of(tmp_path: Path) -> Released:
    """A release with a signed program, without its image yet."""
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / release.EFI).write_bytes(SIGNED)
    found = Provenance({}, "one", "1.0", "", {}, (stage(),))
    (tmp_path / "dist" / release.PROVENANCE).write_bytes(encode(found))
    return released.read(tmp_path / "dist")


def packed(of: Released, data: bytes) -> None:
    of.packed.write_bytes(zstandard.compress(data))


def row_of_image(of: Released, tmp_path: Path, rebuilt: bytes) -> Row:
    (tmp_path / "rebuilt.img").write_bytes(rebuilt)
    with released.unpacked(of, tmp_path, len(rebuilt)) as found:
        return released.image_row(of, found, tmp_path / "rebuilt.img")


def test_the_first_build_of_a_release(of: Released) -> None:
    found = released.first(of)
    assert found.outputs == {"link": {"x": "a" * 64}} and found.executors == {"link": "docker"} and found.pinned
    assert found.fields["link"] == {"argv": ["ld"], "inputs": {}, "params": {}, "toolchain": "cc:1"}


def test_fields_that_do_not_give_the_key_are_nobodys(tmp_path: Path) -> None:
    true = stage()
    for fields in (true.fields, {**true.fields, "argv": ["\ud800"]}):
        lie = StageRecord("link", "f" * 64, fields, {}, "docker", true.outputs, 1.0)
        assert released.first(Released(tmp_path, Provenance({}, "one", "1.0", "", {}, (lie,)))).fields == {}


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000, "\xff"])
def test_no_release(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        released.read(tmp_path)
    (tmp_path / release.PROVENANCE).write_text(text)
    with pytest.raises(UserError, match="provenance"):
        released.read(tmp_path)


def test_a_signed_program_is_compared_without_its_signature(of: Released, tmp_path: Path) -> None:
    rebuilt = tmp_path / "rebuilt.efi"
    rebuilt.write_bytes(program())
    row = released.efi_row(of, rebuilt)
    assert row.verdict == SAME and row.note == "without its signature"
    rebuilt.write_bytes(SIGNED)
    assert released.efi_row(of, rebuilt).verdict == SAME and not released.efi_row(of, rebuilt).note
    rebuilt.write_bytes(program(code=b"\x90" * 499 + b"\x91"))
    assert released.efi_row(of, rebuilt).verdict == DIFFERS
    assert released.efi_row(of, None).verdict == GONE


@pytest.mark.parametrize("data", [b"", b"MZ", SIGNED[:-1], SIGNED + b"x", program(code=b"other")])
def test_an_altered_program(of: Released, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "rebuilt.efi").write_bytes(program())
    of.efi.write_bytes(data)
    assert released.efi_row(of, tmp_path / "rebuilt.efi").verdict == DIFFERS
    of.efi.unlink()
    assert released.efi_row(of, tmp_path / "rebuilt.efi").verdict == DIFFERS


def test_a_program_that_differs_by_header_alone_is_no_signed_one(of: Released, tmp_path: Path) -> None:
    """A checksum is left out of the comparison only where a signature explains it."""
    (tmp_path / "rebuilt.efi").write_bytes(program())
    of.efi.write_bytes(program(checksum=7))
    assert released.efi_row(of, tmp_path / "rebuilt.efi").verdict == DIFFERS


def test_images(of: Released, tmp_path: Path) -> None:
    plain = image(tmp_path, "plain", {EFI: program(), "a.txt": b"a"})
    packed(of, plain)
    assert row_of_image(of, tmp_path, plain).verdict == SAME
    packed(of, image(tmp_path, "signed", {EFI: SIGNED, "a.txt": b"a"}))
    row = row_of_image(of, tmp_path, plain)
    assert row.verdict == SAME and row.note == "by its files, without their signatures"
    for name, files in (("text", {EFI: SIGNED, "a.txt": b"b"}), ("more", {EFI: SIGNED, "a.txt": b"a", "b": b"b"}),
                        ("code", {EFI: program(b"c" * 16, code=b"other"), "a.txt": b"a"})):
        packed(of, image(tmp_path, name, files))
        assert row_of_image(of, tmp_path, plain).verdict == DIFFERS, name
    packed(of, plain[:5_000_000] + b"x" + plain[5_000_001:])  # free space: no signature explains it
    assert row_of_image(of, tmp_path, plain).verdict == DIFFERS


def test_images_that_cannot_be_unpacked(of: Released, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = zstandard.compress(b"image" * 1000)
    for data in (b"", b"text", whole[:-9], whole + b"more"):
        of.packed.write_bytes(data)
        assert row_of_image(of, tmp_path, b"image" * 1000).verdict == DIFFERS
    of.packed.unlink()
    assert "cannot be unpacked" in row_of_image(of, tmp_path, b"image").note


def test_a_bomb(of: Released, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(released, "SLACK", 1 << 20)
    packed(of, bytes(64 << 20))
    row = row_of_image(of, tmp_path, b"image")
    assert row.verdict == DIFFERS and "far longer" in row.note and not (tmp_path / "released.img").exists()
