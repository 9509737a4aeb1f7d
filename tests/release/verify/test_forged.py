"""Releases forged by somebody who has read ./doit verify: all fits together but for the one lie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.formats.forge import BOOT, Disk, long_name
from tests.release import keys
from tests.release.conftest import NAME, Released
from tests.release.verify.conftest import PACKED, Signed, check, liar, list_anew
from tests.release.verify.test_inside import OTHER, billed, contents, listed, locks, said, with_stage, written
from toolchain import image as maker
from toolchain import release
from toolchain.errors import UserError
from toolchain.formats import pe
from toolchain.key import key_of
from toolchain.release import authenticode, provenance
from toolchain.release.provenance import File, Provenance
from toolchain.release.sign import load_key
from toolchain.release.verify import bill, folder, image, program, tie

__all__ = ["contents", "said"]  # fixtures
IMG, PROGRAM = f"{NAME}.img", f"{BOOT}/BOOTX64.EFI"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def stripped(signed: Signed) -> Path:
    """A release signed for Secure Boot, without its signatures: no stage names its whole image."""
    for name in release.SIGNATURES:
        (signed.folder / name).unlink()
    return signed.folder


def unpacked(where: Path) -> bytes:
    return zstandard.ZstdDecompressor().decompress((where / PACKED).read_bytes())


def with_image(where: Path, data: bytes) -> None:
    """Another image, and all that names it says so."""
    before, after = unpacked(where), zstandard.ZstdCompressor().compress(data)
    (where / PACKED).write_bytes(after)
    text = (where / release.SBOM).read_bytes()
    text = text.replace(sha(before).encode(), sha(data).encode())
    (where / release.SBOM).write_bytes(text.replace(f'"{len(before)}"'.encode(), f'"{len(data)}"'.encode()))
    was = provenance.read((where / release.PROVENANCE).read_bytes())
    subjects = {**was.subjects, IMG: sha(data), PACKED: sha(after), release.SBOM: sha(
        (where / release.SBOM).read_bytes())}
    (where / release.PROVENANCE).write_bytes(provenance.encode(replace(was, subjects=subjects)))
    list_anew(where)


def test_the_forger_gets_as_far_as_the_report(stripped: Path) -> None:
    with_image(stripped, unpacked(stripped))
    assert liar(lambda: check(stripped)).file == release.REPORT


DISKS: dict[str, tuple[str, Callable[[Disk], object]]] = {
    "alias": ("have the name BOOTX64.EFI", lambda d: d.write(BOOT, [
        long_name("readme.txt", b"BOOTX64 EFI"), d.entry(b"BOOTX64 EFI", d.put(b"MZ evil"), 7),
        long_name("BOOTX64.EFI", b"BOOTX6~1EFI"),
        d.entry(b"BOOTX6~1EFI", d.files[PROGRAM].cluster, d.files[PROGRAM].size)])),
    "free space": ("something lies in the image", lambda d: d.data.__setitem__(
        slice(d.start + d.system.where(40_000), d.start + d.system.where(40_000) + 4), b"evil")),
    "a cluster of nobody": ("something lies in the image", lambda d: d.put(b"evil")),
    "the FAT": ("something lies in the image", lambda d: d.link(d.system.clusters + 5, 1)),
    "boot code": ("something lies in the image", lambda d: d.data.__setitem__(slice(0, 4), b"evil")),
    "before the partition": ("something lies in the image", lambda d: d.data.__setitem__(
        slice(90_000, 90_004), b"evil")),
    "behind the partition": ("something lies in the image", lambda d: d.data.__setitem__(
        slice(len(d.data) - 90_000, len(d.data) - 89_996), b"evil")),
    "reserved sectors": ("something lies in the image", lambda d: d.data.__setitem__(
        slice(d.start + 1024, d.start + 1028), b"evil")),
    "behind a file": ("something lies in the image", lambda d: d.data.__setitem__(
        slice(d.start + d.system.where(d.system.chain(d.files[PROGRAM])[-1]) + d.files[PROGRAM].size % 512,
              d.start + d.system.where(d.system.chain(d.files[PROGRAM])[-1]) + d.files[PROGRAM].size % 512 + 4),
        b"evil")),
}


@pytest.mark.parametrize("name", DISKS)
def test_an_image_that_holds_more(name: str, stripped: Path) -> None:
    words, forge = DISKS[name]
    disk = Disk(unpacked(stripped))
    assert disk.system.cluster_size == 512 and disk.files[PROGRAM].size % 512 <= 508
    forge(disk)
    with_image(stripped, bytes(disk.data))
    lie = liar(lambda: check(stripped))
    assert lie.file == PACKED and words in lie.text


@pytest.mark.parametrize("extra", ["EFI/BOOT/x.c", "model.gguf"])
def test_a_file_that_the_list_knows_but_no_image_was_given(extra: str, stripped: Path, tmp_path: Path) -> None:
    source = Path(maker.__file__).parents[1] / "efi_src/engine/arena.c"
    assert sha(source.read_bytes()).encode() in (stripped / release.SBOM).read_bytes()
    maker.make(tmp_path / "img", "INGOT", [(PROGRAM, stripped / release.EFI), (extra, source)])
    with_image(stripped, (tmp_path / "img").read_bytes())
    lie = liar(lambda: check(stripped))
    assert lie.file == PACKED and f"{extra} is not of this release" in lie.text


def argv(said: Provenance, *words: str, **inputs: str) -> Provenance:
    stage = said.stage("image")
    assert stage is not None
    fields = {**stage.fields, "argv": [*stage.fields["argv"], *words], "inputs": {**stage.inputs, **inputs}}
    return with_stage(said, "image", fields=fields, key=key_of(fields))


def test_the_files_are_those_of_the_stage(said: Provenance, contents: image.Contents) -> None:
    paths = tie.wanted(said)
    assert paths == {PROGRAM: said.subjects[release.EFI]}
    tie.same(contents, paths, "it")
    more = tie.wanted(argv(said, "--file", "a/b=m", m=OTHER))
    assert "does not hold a/b" in liar(lambda: tie.same(contents, more, "it")).text
    for words, inputs in ((("--file",), {}), (("--file", "a=b"), {}), (("--file", f"{PROGRAM}=m"), {"m": OTHER}),
                          (("--xile", "a=m"), {"m": OTHER}), ((), {"m": OTHER}), (("a=m",), {"m": OTHER})):
        assert "as ingot does" in liar(lambda w=words, i=inputs: tie.wanted(argv(said, *w, **i))).text  # type: ignore
    other = argv(said, **{"BOOTX64.EFI": OTHER})
    assert "is not the program that was built" in liar(lambda: tie.wanted(other)).text


def test_a_size_without_bounds(released: Released, said: Provenance) -> None:
    from toolchain.release import verify

    stage = said.stage("image")
    assert stage is not None
    huge = with_stage(said, "image", outputs={"smoke.img": File(stage.outputs["smoke.img"].sha256, 1 << 60)})
    asked: list[int] = []

    def unpack(path: Path, most: int, progress: object) -> Any:
        asked.append(most)
        raise InterruptedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image, "unpack", unpack)
        with pytest.raises(InterruptedError):
            verify._packed_image(folder.Folder(released.folder, PACKED, False, {}), huge, lambda _: None,
                                 lambda *_: None)
    assert asked == [image.IMAGE_MAX]


# -- SBOM -----------------------------------------------------------------------------------------


def first(raw: Any, prefix: str) -> Any:
    return next(one for one in raw["components"] if one["bom-ref"].startswith(prefix))


def swap(raw: Any) -> None:
    one, two = [one for one in raw["components"] if one["bom-ref"].startswith("pkg:deb")][:2]
    one["name"], two["name"] = two["name"], one["name"]


def renamed(raw: Any) -> str:
    """A package under another name throughout: only the lock knows better."""
    old = first(raw, "pkg:deb/debian/base-files")["bom-ref"]
    return json.dumps(raw).replace(old, old.replace("base-files", "evil")).replace('"base-files"', '"evil"')


LISTS: dict[str, Callable[[Any], object]] = {
    "nested": lambda r: r["components"][0].update(components=[{"type": "library", "name": "evil"}]),
    "services": lambda r: r.update(services=[{"name": "evil", "bom-ref": "s"}]),
    "vulnerabilities": lambda r: r.update(vulnerabilities=[]),
    "swapped": swap,
    "version": lambda r: first(r, "pkg:deb").update(version="99"),
    "purl": lambda r: first(r, "pkg:deb").update(purl="pkg:deb/debian/evil@1"),
    "no purl": lambda r: first(r, "pkg:deb").pop("purl"),
    "a file's name": lambda r: first(r, "file:").update(name="something/else.c"),
    "a file's version": lambda r: first(r, "file:").update(version="1"),
    "a root's name": lambda r: first(r, "root:").update(name="toolchain root vm"),
    "the program's name": lambda r: first(r, "efi").update(name="GOOD.EFI"),
    "the program's version": lambda r: first(r, "efi").update(version="9"),
    "the image's version": lambda r: r["metadata"]["component"].update(version="9"),
    "type": lambda r: first(r, "model").update(type="data"),
    "second hash": lambda r: first(r, "efi")["hashes"].append({"alg": "SHA-512", "content": "0" * 128}),
    "other hash": lambda r: first(r, "efi").update(hashes=[{"alg": "SHA-512", "content": "0" * 128}]),
    "no hash": lambda r: first(r, "pkg:deb").pop("hashes"),
    "a root's hash": lambda r: first(r, "root:").update(hashes=[{"alg": "SHA-256", "content": OTHER}]),
    "size": lambda r: [one.update(value="1") for one in first(r, "model")["properties"] if "size" in one["name"]],
    "two sizes": lambda r: first(r, "model")["properties"].append({"name": "ingot:size", "value": "1"}),
    "property": lambda r: first(r, "model")["properties"].append({"name": "other:size", "value": "1"}),
    "address": lambda r: first(r, "model").update(externalReferences=[{"type": "distribution", "url": "http://evil"}]),
    "dependency twice": lambda r: r["dependencies"].append(r["dependencies"][0]),
    "a kind of dependency": lambda r: r["dependencies"][0].update(provides=[]),
    "composition": lambda r: r["compositions"].append({"aggregate": "complete", "dependencies": ["evil"]}),
    "lifecycle": lambda r: r["metadata"]["lifecycles"].append({"phase": "operations"}),
    "author": lambda r: r["metadata"].update(authors=[{"name": "evil"}]),
    "tool": lambda r: r["metadata"]["tools"]["components"][0].update(components=[]),
    "licence": lambda r: first(r, "file:").update(licenses=[{"license": {"id": "MIT", "text": {"content": "x"}}}]),
    "the image again": lambda r: r["components"].append(r["metadata"]["component"]),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_others_read_otherwise(name: str, released: Released, said: Provenance,
                                           contents: image.Contents) -> None:
    raw = listed(released)
    LISTS[name](raw)
    assert liar(lambda: billed(raw, said, contents)).file == release.SBOM


def test_names_are_those_of_the_lock(released: Released, said: Provenance, contents: image.Contents) -> None:
    raw = json.loads(renamed(listed(released)))
    assert "not those of toolchain/cc.lock" in liar(lambda: billed(raw, said, contents)).text
    bill.check(written(raw), said, contents, lambda _: None, lambda _: None)  # where it is not known, who could say


def test_one_way_to_write_a_list(released: Released, said: Provenance, contents: image.Contents) -> None:
    good = (released.folder / release.SBOM).read_bytes()
    bill.check(good, said, contents, locks(), lambda _: None)
    evil = b'{"components":[{"type":"library","name":"evil","bom-ref":"pkg:evil"}],'
    for data in (evil + good[1:], good + b"\n", good.replace(b"\n ", b"\n"),
                 good.replace(b'"version": 1\n', b'"version": 1.0\n')):
        assert data != good and liar(lambda d=data: bill.read(d)).file == release.SBOM  # type: ignore[misc]


# -- signatures, keys and certificates ------------------------------------------------------------


def test_what_hides_between_a_signature_and_its_end(signed_template: Signed) -> None:
    data = (signed_template.folder / release.EFI).read_bytes()
    found = pe.read(data)
    assert found.signature is not None
    at, size = found.signature
    authenticode.verify_efi(data)
    for hidden in (b"evil" * 2, b"evil"):
        longer = bytearray(data + hidden)
        longer[found.security_at + 4:found.security_at + 8] = (size + len(hidden)).to_bytes(4, "little")
        with pytest.raises(authenticode.SignatureError, match="more than one signature"):
            authenticode.verify_efi(bytes(longer))
        longer[at:at + 4] = (size + len(hidden)).to_bytes(4, "little")  # the header speaks of them
        with pytest.raises(authenticode.SignatureError, match="follow the signature"):
            authenticode.verify_efi(bytes(longer))
    shorter = bytearray(data)
    shorter[at:at + 4] = (size - 16).to_bytes(4, "little")  # the signature ends before it does
    with pytest.raises(authenticode.SignatureError):
        authenticode.verify_efi(bytes(shorter))


def test_zeros_are_cut_at_once() -> None:
    from tests.formats.test_pe import program as made

    assert pe.unsigned(made() + bytes(8 << 20)) == made()


def odd(pem: bytes, label: str, old: bytes, new: bytes) -> bytes:
    """A PEM whose kind of key is one that nobody knows."""
    import base64

    der = base64.b64decode(b"".join(pem.split(b"\n")[1:-2]))
    assert old in der
    text = base64.encodebytes(der.replace(old, new))
    return f"-----BEGIN {label}-----\n".encode() + text + f"-----END {label}-----\n".encode()


def test_a_key_of_an_unknown_kind(tmp_path: Path) -> None:
    key = load_key(keys.make_key(tmp_path / "k", "RSA 2048"), None)
    rsa, unknown = bytes.fromhex("06092a864886f70d010101"), bytes.fromhex("06092a864886f70d01017f")
    with pytest.raises(UserError, match="not a public key"):
        folder.canonical(odd(key.public_pem, "PUBLIC KEY", rsa, unknown))
    cert = keys.make_certificate(tmp_path / "c", key).read_bytes()
    with pytest.raises(UserError, match="not a certificate"):
        program.certificate(odd(cert, "CERTIFICATE", rsa, unknown))
    with pytest.raises(UserError, match="not a certificate"):
        program.certificate(odd(cert, "CERTIFICATE", b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07"))
