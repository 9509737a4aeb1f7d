"""The image that is written: from build/ and out of a release, whole and damaged."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import zstandard

from toolchain import release
from toolchain.errors import UserError
from toolchain.flash import source
from toolchain.flash.source import PIECE, Source, built, check, pieces, released
from toolchain.release.provenance import Provenance, encode

IMAGE = (bytes(510) + b"\x55\xaaEFI PART").ljust(PIECE, b"\1") + b"\2" * (1 << 20)
SHA256 = hashlib.sha256(IMAGE).hexdigest()


def quiet(done: int, total: int | None) -> None:
    assert total is not None and done <= total


def build(folder: Path, data: bytes = IMAGE, digest: str = SHA256) -> None:
    (folder / "build/tales/.state").mkdir(parents=True)
    (folder / "build/tales/tales.img").write_bytes(data)
    (folder / "build/tales/.state/image.json").write_text(json.dumps({"outputs": {"tales.img": digest}}))


def publish(folder: Path, packed: bytes, digest: str = SHA256, name: str = "tales-1.0.img") -> Path:
    said = Provenance(subjects={name: digest}, image="tales", version="1.0", recipe="", variables={}, stages=())
    (folder / release.PROVENANCE).write_bytes(encode(said))
    (folder / release.packed_of("tales", "1.0")).write_bytes(packed)
    return folder


def test_what_was_built(tmp_path: Path) -> None:
    build(tmp_path)
    found = built(tmp_path, "tales")
    assert (found.size, found.sha256, found.packed) == (len(IMAGE), SHA256, False)
    check(found, quiet)
    assert b"".join(pieces(found)) == IMAGE


def test_what_was_changed_since(tmp_path: Path) -> None:
    build(tmp_path, IMAGE[:-1] + b"x")
    with pytest.raises(UserError, match="is not the image that build/tales/.state/image.json speaks of"):
        check(built(tmp_path, "tales"), quiet)


def test_what_is_not_built(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="build/tales/tales.img is not built\nhint: ./doit image=tales"):
        built(tmp_path, "tales")
    build(tmp_path)
    (tmp_path / "build/tales/.state/image.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="is not built"):
        built(tmp_path, "tales")
    for name in ("../x", "", ".", "a/b", "a.b", "-a", "a" * 62, "a\n"):
        with pytest.raises(UserError, match="is not the name of a recipe"):
            built(tmp_path, name)


@pytest.mark.parametrize("data", [b"", IMAGE[:512], IMAGE + b"x"])
def test_what_has_no_whole_sectors(tmp_path: Path, data: bytes) -> None:
    build(tmp_path, data)
    with pytest.raises(UserError, match="is no disk image"):
        built(tmp_path, "tales")


def test_what_has_no_partition_table(tmp_path: Path) -> None:
    data = b"\0" * 4096
    build(tmp_path, data, hashlib.sha256(data).hexdigest())
    with pytest.raises(UserError, match="it has no partition table"):
        check(built(tmp_path, "tales"), quiet)


def test_a_release_is_unpacked_on_the_way(tmp_path: Path) -> None:
    found = released(publish(tmp_path, zstandard.ZstdCompressor(19).compress(IMAGE)))
    assert (found.size, found.sha256, found.packed) == (len(IMAGE), SHA256, True)
    check(found, quiet)
    assert [len(piece) for piece in pieces(found)] == [PIECE, len(IMAGE) - PIECE]


def test_no_release(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="provenance.json cannot be read: No such file"):
        released(tmp_path)
    (tmp_path / release.PROVENANCE).write_text("{}")
    with pytest.raises(UserError, match="is no provenance of a release"):
        released(tmp_path)
    publish(tmp_path, b"", name="other.img")
    with pytest.raises(UserError, match="says nothing of .*tales-1.0.img"):
        released(tmp_path)
    publish(tmp_path, b"").joinpath("tales-1.0.img.zst").unlink()
    with pytest.raises(UserError, match="img.zst cannot be read: No such file"):
        released(tmp_path)


def frame(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(3).compress(data)


@pytest.mark.parametrize(("packed", "says"), [
    (b"", "does not say how large|is not compressed"),
    (b"PK\3\4" + bytes(100), "is not compressed with zstd"),
    (zstandard.ZstdCompressor(3, write_content_size=False).compress(IMAGE), "does not say how large the image is"),
    (frame(b""), "is no disk image: it has 0 bytes"),
    (frame(IMAGE)[:60], "ends .* bytes too early|cannot be unpacked"),
    (frame(IMAGE[:-512] + bytes(512)), "is not the image that .* speaks of"),
    (frame(IMAGE[:-512]), "is not the image that .* speaks of"),
    (frame(IMAGE) + b"x", "holds 1 bytes behind the image"),
    (frame(IMAGE) + frame(b"more"), "holds .* bytes behind the image"),
    # a header that promises less than comes, and one that promises a terabyte
    (frame(IMAGE).replace(len(IMAGE).to_bytes(4, "little"), (len(IMAGE) - 512).to_bytes(4, "little"), 1),
     "cannot be unpacked|holds more than"),
    (b"\x28\xb5\x2f\xfd\xe0" + (1 << 50).to_bytes(8, "little") + bytes(8), "is no disk image: it has 1125899906842624"),
])
def test_damaged_releases(tmp_path: Path, packed: bytes, says: str) -> None:
    publish(tmp_path, packed)
    with pytest.raises(UserError, match=says):
        check(released(tmp_path), quiet)


def test_a_name_that_leads_elsewhere(tmp_path: Path) -> None:
    said = Provenance(subjects={"../../etc/x-1.img": SHA256}, image="../../etc/x", version="1", recipe="",
                      variables={}, stages=())
    (tmp_path / release.PROVENANCE).write_bytes(encode(said))
    with pytest.raises(UserError, match="names no image and version"):
        released(tmp_path)


def test_a_window_that_wants_all_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = zstandard.ZstdCompressionParameters.from_level(3, window_log=24)
    path = tmp_path / "x.zst"
    path.write_bytes(zstandard.ZstdCompressor(compression_params=params).compress(IMAGE * 4))
    monkeypatch.setattr(source, "_WINDOW", 1 << 20)
    with pytest.raises(UserError, match="cannot be unpacked"):
        list(pieces(Source(path, 4 * len(IMAGE), SHA256, True, "a test")))
