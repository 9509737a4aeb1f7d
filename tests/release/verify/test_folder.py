"""A release folder from the outside: each file altered in turn, removed, added, forged."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.release import keys
from tests.release.verify.conftest import FILES, PACKED, Signed, check, flip, liar, list_anew
from toolchain import image as maker
from toolchain import release
from toolchain.release.pack import pack
from toolchain.release.sign import load_key
from toolchain.release.verify import Trusted
from toolchain.release.verify.program import certificate

PLACES = {"first": lambda size: 0, "early": lambda size: size // 5, "middle": lambda size: size // 2,
          "last but one": lambda size: size - 2, "last": lambda size: size - 1}


def test_a_good_release_is_good(plain: Path) -> None:
    lines = check(plain)
    unknown = [line for line in lines if not line.good]
    assert [line.file for line in unknown] == [release.SUMS] + [release.SBOM] and "not signed" in unknown[0].text
    assert {release.EFI, release.SBOM, release.PROVENANCE, release.REPORT, release.SUMS, PACKED} <= {
        line.file for line in lines}


def test_a_signed_release_is_good(signed: Signed) -> None:
    lines = check(signed.folder, signed.trusted)
    assert [line.file for line in lines if not line.good] == [release.SBOM]  # no locks were given
    assert any("by cert=" in line.text for line in lines)
    assert any("without its signature it is the program that was built" in line.text for line in lines)


def test_without_a_key_nobody_vouches(signed: Signed) -> None:
    unknown = [line for line in check(signed.folder) if not line.good]
    assert [line.file for line in unknown] == [release.PUBLIC_KEY, release.EFI, release.SBOM]
    assert "nobody vouches" in unknown[0].text and "nobody vouches" in unknown[1].text


@pytest.mark.parametrize("trusting", [True, False], ids=["key", "nokey"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", [*FILES, *release.SIGNATURES])
def test_each_altered_file_is_named(name: str, place: str, trusting: bool, signed: Signed) -> None:
    path = signed.folder / name
    flip(path, PLACES[place](path.stat().st_size))
    assert liar(lambda: check(signed.folder, signed.trusted if trusting else None)).file == name


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", FILES)
def test_each_altered_file_of_an_unsigned_release_is_named(name: str, place: str, plain: Path) -> None:
    flip(plain / name, PLACES[place]((plain / name).stat().st_size))
    assert liar(lambda: check(plain)).file == name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.sampled_from([*FILES, *release.SIGNATURES]), st.floats(0, 1, exclude_max=True), st.integers(1, 255),
       st.booleans())
def test_any_altered_byte_is_found(signed: Signed, name: str, where: float, by: int, trusting: bool) -> None:
    path = signed.folder / name
    data = path.read_bytes()
    try:
        flip(path, int(where * len(data)), by)
        assert liar(lambda: check(signed.folder, signed.trusted if trusting else None)).file == name
    finally:
        path.write_bytes(data)


@pytest.mark.parametrize("kind", ["Ed25519", "ECDSA P-256"])
def test_other_kinds_of_keys(kind: str, plain: Path, tmp_path: Path) -> None:
    """Signed by hand; each byte of the small files in turn."""
    key = load_key(keys.make_key(tmp_path / "key.pem", kind), None)
    for name, data in {release.PUBLIC_KEY: key.public_pem,
                       release.SUMS_SIGNATURE: key.sign((plain / release.SUMS).read_bytes()),
                       release.PROVENANCE_SIGNATURE: key.sign((plain / release.PROVENANCE).read_bytes())}.items():
        (plain / name).write_bytes(data)
    for name in release.SIGNATURES:
        data = (plain / name).read_bytes()
        for at in range(len(data)):
            flip(plain / name, at)
            for trusted in (Trusted(key.public_pem), Trusted()):
                assert liar(lambda trusted=trusted: check(plain, trusted)).file == name, at  # type: ignore[misc]
            (plain / name).write_bytes(data)


@pytest.mark.parametrize("name", [*FILES, *release.SIGNATURES])
def test_each_missing_file_is_named(name: str, signed: Signed) -> None:
    (signed.folder / name).unlink()
    lie = liar(lambda: check(signed.folder))
    assert lie.file == name and "missing" in lie.text


@pytest.mark.parametrize("name", FILES)
def test_each_truncated_file_is_named(name: str, plain: Path) -> None:
    data = (plain / name).read_bytes()
    for size in (0, 1, len(data) // 2, len(data) - 1):
        (plain / name).write_bytes(data[:size])
        assert liar(lambda: check(plain)).file == name
    (plain / name).write_bytes(data + b"\n")
    assert liar(lambda: check(plain)).file == name


@pytest.mark.parametrize("name", ["README", ".hidden", "smoke-9.9.img.zst", "SHA256SUMS.bak", "\x1b[2J"])
def test_an_added_file_is_named(name: str, plain: Path) -> None:
    (plain / name).write_text("hello")
    lie = liar(lambda: check(plain))
    assert lie.file == name.replace("\x1b", "·") and "does not belong" in lie.text


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_plain_file_is_named(name: str, plain: Path, tmp_path: Path) -> None:
    path = plain / name
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert liar(lambda: check(plain)).file == name
    path.unlink()
    path.mkdir()
    assert liar(lambda: check(plain)).file == name
    path.rmdir()
    os.mkfifo(path)
    assert liar(lambda: check(plain)).file == name


@pytest.mark.parametrize("names", [[release.SUMS_SIGNATURE], [release.PUBLIC_KEY, release.PROVENANCE_SIGNATURE]])
def test_half_a_signature_is_none(names: list[str], signed: Signed) -> None:
    for name in names:
        (signed.folder / name).unlink()
    assert liar(lambda: check(signed.folder)).file in names


def test_signatures_cannot_be_stripped(signed: Signed) -> None:
    for name in release.SIGNATURES:
        (signed.folder / name).unlink()
    assert liar(lambda: check(signed.folder, signed.trusted)).file == release.SUMS_SIGNATURE
    assert liar(lambda: check(signed.folder)).file == release.REPORT  # which names the key


def test_somebody_elses_key(signed: Signed, tmp_path: Path) -> None:
    other = load_key(keys.make_key(tmp_path / "other.pem", "RSA 2048", number=1), None)
    assert liar(lambda: check(signed.folder, Trusted(other.public_pem))).file == release.PUBLIC_KEY
    cert = keys.make_certificate(tmp_path / "other.crt", other)
    mine = Trusted(signed.key, certificate(cert.read_bytes()))
    assert "another certificate" in liar(lambda: check(signed.folder, mine)).text
    for name, of in ((release.SUMS_SIGNATURE, release.SUMS), (release.PROVENANCE_SIGNATURE, release.PROVENANCE)):
        (signed.folder / name).write_bytes(other.sign((signed.folder / of).read_bytes()))
    assert liar(lambda: check(signed.folder, signed.trusted)).file in release.SIGNATURES
    (signed.folder / release.PUBLIC_KEY).write_bytes(other.public_pem)  # all signed anew
    assert liar(lambda: check(signed.folder, signed.trusted)).file == release.PUBLIC_KEY


@pytest.mark.parametrize("name", [PACKED, release.EFI, release.SBOM])
def test_sums_forged_too(name: str, plain: Path) -> None:
    """Without a signature the provenance is the witness."""
    flip(plain / name, 40)
    list_anew(plain)
    lie = liar(lambda: check(plain))
    assert lie.file == name and release.PROVENANCE in lie.text


@pytest.mark.parametrize("name", [PACKED, release.EFI, release.SBOM, release.REPORT])
def test_sums_forged_under_a_signature(name: str, signed: Signed) -> None:
    flip(signed.folder / name, 40)
    list_anew(signed.folder)
    lie = liar(lambda: check(signed.folder, signed.trusted))
    assert lie.file == release.SUMS_SIGNATURE and release.SUMS in lie.text


@pytest.fixture(scope="module")
def other_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another image that is good in itself."""
    folder = tmp_path_factory.mktemp("other")
    (folder / "program").write_bytes(b"MZ" + bytes(5000))
    maker.make(folder / "other.img", "INGOT", [("EFI/BOOT/BOOTX64.EFI", folder / "program")])
    return folder / "other.img"


def test_another_good_image(other_image: Path, plain: Path, signed: Signed) -> None:
    for folder, trusted, name in ((plain, None, PACKED), (signed.folder, signed.trusted, release.SUMS_SIGNATURE)):
        (folder / PACKED).unlink()
        pack(other_image, folder / PACKED, lambda *_: None)
        list_anew(folder)
        assert liar(lambda t=trusted, f=folder: check(f, t)).file == name  # type: ignore[misc]


def test_the_names_belong_to_the_release(plain: Path) -> None:
    renamed = "smoke-7.0.img.zst"
    (plain / PACKED).rename(plain / renamed)
    assert liar(lambda: check(plain)).file == PACKED
    text = (plain / release.SUMS).read_text().splitlines()[:-1]
    from toolchain.release import sums

    digests = {line.split("  ")[1].replace(PACKED, renamed): line.split("  ")[0] for line in text}
    (plain / release.SUMS).write_bytes(sums.encode(digests))
    lie = liar(lambda: check(plain))
    assert lie.file == release.PROVENANCE and "7.0" in lie.text


def test_without_a_network_and_elsewhere(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.chdir("/")
    shutil.move(plain, tmp_path / "a b'c")
    check(tmp_path / "a b'c")
