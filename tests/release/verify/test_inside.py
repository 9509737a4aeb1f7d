"""What a release says of itself: provenance, SBOM, report and signature, each against the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.release import keys
from tests.release.conftest import Released
from tests.release.verify.conftest import NAME, PACKED, Signed, liar
from toolchain import __version__, release
from toolchain.key import key_of
from toolchain.release import provenance
from toolchain.release.provenance import File, Origin, Provenance, Root, Source, StageRecord
from toolchain.release.sign import load_key
from toolchain.release.verify import bill, chain, image, page, program
from toolchain.roots.folder import RootFolder
from toolchain.store import Store, default_folder
from toolchain.ui import Ui

WHO = ("smoke", __version__)
OTHER = "0" * 64


@pytest.fixture(scope="session")
def said(released: Released) -> Provenance:
    return provenance.read((released.folder / release.PROVENANCE).read_bytes())


@pytest.fixture(scope="session")
def contents(released: Released) -> image.Contents:
    packed, size, _ = image.unpack(released.folder / PACKED, 1 << 30, lambda *_: None)
    with packed:
        return image.look(packed, size, PACKED)


# -- provenance -----------------------------------------------------------------------------------


def chained(said: Provenance, who: tuple[str, str] = WHO) -> Provenance:
    return chain.check(provenance.encode(said), who, lambda _: None)


def with_stage(said: Provenance, which: str, **changes: Any) -> Provenance:
    """One stage changed; its key made right where its fields were."""
    def change(stage: StageRecord) -> StageRecord:
        changed = replace(stage, **changes)
        return replace(changed, key=key_of(dict(changed.fields))) if "fields" in changes else changed

    return replace(said, stages=tuple(change(stage) if stage.name == which else stage for stage in said.stages))


def fields(said: Provenance, name: str, **changes: Any) -> dict[str, Any]:
    stage = said.stage(name)
    assert stage is not None
    return {**stage.fields, **changes}


def inputs(said: Provenance, name: str, **changes: str) -> dict[str, Any]:
    return fields(said, name, inputs={**fields(said, name)["inputs"], **{k.replace("__", "."): v
                                                                         for k, v in changes.items()}})


def test_what_was_made_holds(said: Provenance) -> None:
    assert chained(said) == said


LIES: dict[str, tuple[str, Callable[[Provenance], Provenance]]] = {
    "key": ("train: its key", lambda s: with_stage(s, "train", key=OTHER)),
    "argv": ("image: its key", lambda s: replace(s, stages=tuple(
        replace(one, fields={**one.fields, "argv": ["true"]}) if one.name == "image" else one for one in s.stages))),
    "input": ("train: its input tokens", lambda s: with_stage(
        s, "train", fields=inputs(s, "train", tokens__train__bin=OTHER))),
    "output": ("its input weights.bin", lambda s: with_stage(s, "train", outputs={
        **dict(s.stages[[one.name for one in s.stages].index("train")].outputs), "weights.bin": File(OTHER, 1)})),
    "source": ("is another file than before", lambda s: with_stage(
        s, "compile:engine/arena", fields=inputs(s, "compile:engine/arena", **{"efi_src/engine/arena__h": OTHER}))),
    "name": ("its key", lambda s: with_stage(s, "dataset", name="elsewhere")),
    "order": ("no stage before it", lambda s: replace(s, stages=s.stages[::-1])),
    "gone": ("no stage before it", lambda s: replace(s, stages=tuple(one for one in s.stages if one.name != "train"))),
    "twice": ("two stages", lambda s: replace(s, stages=(*s.stages, s.stages[0]))),
    "origin": ("where each input", lambda s: with_stage(s, "train", origins={})),
    "from": ("no stage before it", lambda s: with_stage(s, "export", origins={
        **dict(s.stages[[one.name for one in s.stages].index("export")].origins),
        "weights.bin": Origin("model.gguf", "train")})),
    "root": ("its toolchain", lambda s: replace(s, roots=())),
    "lock": ("its toolchain", lambda s: replace(s, roots=tuple(Root(r.name, OTHER, r.tree) for r in s.roots))),
    "download": ("its downloads", lambda s: replace(s, downloads=(Source("a", OTHER, ()),))),
    "subject": ("its subjects are not what", lambda s: replace(s, subjects={**s.subjects, release.EFI: OTHER})),
    "image": ("its subjects are not what", lambda s: replace(s, subjects={**s.subjects, f"{NAME}.img": OTHER})),
    "more": ("its subjects are not", lambda s: replace(s, subjects={**s.subjects, "more": OTHER})),
    "less": ("its subjects are not", lambda s: replace(s, subjects={})),
    "signed": ("what was signed", lambda s: replace(s, certificate=OTHER)),
    "unsigned": ("its subjects are not what", lambda s: replace(s, byproducts=provenance.unsigned({"a": OTHER}))),
    "recipe": ("is another file than the recipe", lambda s: replace(s, recipe=s.recipe + "#")),
    "how": ("is another file than before", lambda s: replace(
        s, sources={**s.sources, "efi_src/uefi/main.c": OTHER})),
    "version": ("it speaks of", lambda s: replace(s, version="9")),
}


@pytest.mark.parametrize("name", LIES)
def test_a_provenance_that_contradicts_itself(name: str, said: Provenance) -> None:
    words, change = LIES[name]
    lie = liar(lambda: chained(change(said)))
    assert lie.file == release.PROVENANCE and words in lie.text


def test_a_name_with_a_dash(said: Provenance) -> None:
    """Where the version begins cannot be told from a file's name: both splits are of the same files."""
    assert chain.packed_of("a", "b-1") == chain.packed_of("a-b", "1")
    dashed = replace(said, image="smoke-1", version="2")
    for split in (("smoke-1", "2"), ("smoke", "1-2")):
        assert "it speaks of" not in liar(lambda split=split: chained(dashed, split)).text  # type: ignore[misc]
    assert "it speaks of" in liar(lambda: chained(dashed, ("smoke-1", "3"))).text
    assert "it speaks of" in liar(lambda: chained(replace(said, image="../x", version="1"), ("../x", "1"))).text


def test_a_key_that_cannot_be_computed(said: Provenance) -> None:
    for value in ("\ud800", {"a": {"b": "\udfff"}}):
        broken = replace(said, stages=(replace(said.stages[0], fields={**said.stages[0].fields, "params": value}),
                                       *said.stages[1:]))
        assert "its key" in liar(lambda broken=broken: chained(broken)).text  # type: ignore[misc]


def test_what_should_be_known_is_told(said: Provenance) -> None:
    lines: list[Any] = []
    host = with_stage(said, "dataset", fields=fields(said, "dataset", toolchain="host:" + OTHER))
    host = with_stage(with_stage(host, "train", fetched=True), "export", fetched=None)
    chain.check(provenance.encode(replace(host, changed=True, forced=("the tree is dirty",))), WHO, lines.append)
    assert [line.text for line in lines if not line.good] == [
        "1 stages were made with tools that nothing pins: dataset",
        "1 stages were taken from a remote cache, not built by this builder: train",
        "1 stages were made, or fetched, nobody knows where: export",
        "its sources were not those of the commit that it names",
        "it was released with force=1, though: the tree is dirty"]


# -- SBOM -----------------------------------------------------------------------------------------


def listed(released: Released) -> Any:
    return json.loads((released.folder / release.SBOM).read_bytes())


def written(raw: Any) -> bytes:
    return json.dumps(raw, indent=1, sort_keys=True).encode() + b"\n"


def locks() -> bill.Locks:
    from toolchain.commands.verify import _locks

    return _locks(RootFolder(Store(default_folder()), Ui()))


def billed(raw: Any, said: Provenance, contents: image.Contents) -> list[str]:
    lines: list[Any] = []
    bill.check(written(raw), said, contents, locks(), lines.append)
    assert all(line.good for line in lines)
    return [line.text for line in lines]


def test_the_list_is_right(released: Released, said: Provenance, contents: image.Contents) -> None:
    assert "and nothing else" in billed(listed(released), said, contents)[0]


@pytest.mark.parametrize("prefix, words", [
    ("file:efi_src/engine/arena.c", "does not list the source file efi_src/engine/arena.c"),
    ("root:", "does not list the toolchain root cc"), ("pkg:deb", "are not those of toolchain/cc.lock"),
    ("efi", "does not list EFI/BOOT/BOOTX64.EFI of the image")])
def test_what_is_not_listed(prefix: str, words: str, released: Released, said: Provenance,
                            contents: image.Contents) -> None:
    raw = listed(released)
    gone = next(one["bom-ref"] for one in raw["components"] if one["bom-ref"].startswith(prefix))
    raw["components"] = [one for one in raw["components"] if one["bom-ref"] != gone]
    raw["dependencies"] = [{**one, "dependsOn": [ref for ref in one.get("dependsOn", []) if ref != gone]}
                           for one in raw["dependencies"] if one["ref"] != gone]
    for one in raw["compositions"]:
        one["dependencies"] = [ref for ref in one["dependencies"] if ref != gone]
    lie = liar(lambda: billed(raw, said, contents))
    assert lie.file == release.SBOM and words in lie.text


@pytest.mark.parametrize("prefix", ["file:efi_src/engine/arena.c", "pkg:deb", "model", "dataset"])
def test_another_digest(prefix: str, released: Released, said: Provenance, contents: image.Contents) -> None:
    raw = listed(released)
    next(one for one in raw["components"] if one["bom-ref"].startswith(prefix))["hashes"][0]["content"] = OTHER
    assert liar(lambda: billed(raw, said, contents)).file == release.SBOM


EVIL: dict[str, tuple[str, str, dict[str, str]]] = {
    "file:evil.c": ("lists the source file evil.c", "file", {}), "root:vm": ("root vm", "platform", {"version": OTHER}),
    "pkg:deb/debian/evil@1": ("in no toolchain root", "library", {"purl": "pkg:deb/debian/evil@1", "version": "1"}),
    "evil": ("no stage has made", "file", {}), "efi": ("twice", "firmware", {})}


@pytest.mark.parametrize("ref", EVIL)
def test_what_should_not_be_listed(ref: str, released: Released, said: Provenance, contents: image.Contents) -> None:
    raw, (words, kind, more) = listed(released), EVIL[ref]
    hashes = {} if kind == "platform" else {"hashes": [{"alg": "SHA-256", "content": OTHER}]}
    raw["components"].append({"bom-ref": ref, "name": "evil", "type": kind, **more, **hashes})
    assert words in liar(lambda: billed(raw, said, contents)).text


def test_a_list_of_another_image(released: Released, said: Provenance, contents: image.Contents) -> None:
    raw = listed(released)
    raw["metadata"]["component"]["name"] = "tales"
    assert "not about the image" in liar(lambda: billed(raw, said, contents)).text


def test_a_lock_that_is_not_here(released: Released, said: Provenance, contents: image.Contents) -> None:
    lines: list[Any] = []
    bill.check(written(listed(released)), said, contents, lambda _: None, lines.append)
    assert "could not be compared" in lines[0].text and not lines[0].good


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
                        ["bomFormat", "components", "dependencies", "metadata", "component", "bom-ref", "hashes", "ref",
                         "dependsOn", "name"]), inner, max_size=5), max_leaves=20)


@given(JSON)
def test_any_json_is_refused(value: Any) -> None:
    whole = {**value, "bomFormat": "CycloneDX", "specVersion": "1.6"} if isinstance(value, dict) else value
    assert liar(lambda: bill.read(written(whole))).file == release.SBOM


@given(st.binary())
def test_any_bytes_are_refused(data: bytes) -> None:
    assert liar(lambda: bill.read(data)).file == release.SBOM
    assert liar(lambda: chain.check(data, WHO, lambda _: None)).file == release.PROVENANCE
    assert liar(lambda: page.check(data, {"it": "ab"}, lambda _: None)).file == release.REPORT


def test_nested_without_end() -> None:
    for data in (b"[" * 100_000, b'{"a":' * 100_000):
        assert liar(lambda data=data: bill.read(data)).file == release.SBOM  # type: ignore[misc]


# -- the program's signature ----------------------------------------------------------------------


def test_signed_from(signed_template: Signed, released: Released) -> None:
    after = (signed_template.folder / release.EFI).read_bytes()
    before = (released.folder / release.EFI).read_bytes()
    made = File(release_sha(before), len(before))
    assert program.is_signed_from(after, made)
    for at in (0x50, len(before) // 2, len(before) - 1):
        changed = bytearray(after)
        changed[at] ^= 1
        assert not program.is_signed_from(bytes(changed), made), at
    assert not program.is_signed_from(after, File(made.sha256, made.size - 1))
    assert not program.is_signed_from(after, File(made.sha256, made.size + 8))


def test_checksum_is_that_of_the_linker(released: Released) -> None:
    from toolchain.formats import pe

    data = bytearray((released.folder / release.EFI).read_bytes())
    found = pe.read(bytes(data))
    data[found.checksum_at:found.checksum_at + 4] = bytes(4)
    assert program.checksum(bytes(data)) == found.checksum


def test_secure_boot_as_stated(signed_template: Signed, released: Released, said: Provenance, tmp_path: Path) -> None:
    after = (signed_template.folder / release.EFI).read_bytes()
    before = (released.folder / release.EFI).read_bytes()
    stated = provenance.read((signed_template.folder / release.PROVENANCE).read_bytes())
    mine = program.certificate(signed_template.cert)
    program.check(after, stated, mine, lambda _: None)
    program.check(before, said, None, lambda _: None)
    assert "bears no" in liar(lambda: program.check(before, stated, None, lambda _: None)).text
    assert "bears a" in liar(lambda: program.check(after, said, None, lambda _: None)).text
    assert "cert= asks" in liar(lambda: program.check(before, said, mine, lambda _: None)).text
    other = load_key(keys.make_key(tmp_path / "k", "RSA 2048", number=1), None)
    theirs = program.certificate(keys.make_certificate(tmp_path / "c", other).read_bytes())
    lie = liar(lambda: program.check(after, replace(stated, certificate=theirs.der_sha256), theirs, lambda _: None))
    assert lie.file == release.EFI and "another key" in lie.text
    changed = bytearray(after)
    changed[0x1000] ^= 1
    lie = liar(lambda: program.check(bytes(changed), stated, mine, lambda _: None))
    assert lie.file == release.EFI and "not the one that was signed" in lie.text


def release_sha(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()
