"""The SBOM is CycloneDX 1.6 as its schema has it, says everything that went in, and guesses no licence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.release.conftest import Released
from toolchain.digest import sha256
from toolchain.release import licences, sbom
from toolchain.release.licences import Licence
from toolchain.release.sbom import Part, Purl
from toolchain.roots import lockfile
from toolchain.roots.lockfile import Lock, Wheel
from toolchain.roots.wheels import FOLDER

ZERO = "0" * 64
GNU_EFI = "pkg:deb/debian/gnu-efi@3.0.15-1?arch=amd64&distro=debian-12"
HOW = ("dodo.py", "toolchain/cc.py", "images/smoke.yaml")  # they say what each stage runs


def check(data: bytes) -> None:
    """Against the schema, with nothing more than it allows."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode())
    assert error is None, error


@pytest.fixture
def document(released: Released) -> dict[str, Any]:
    return dict(json.loads((released.folder / "sbom.cdx.json").read_bytes()))


@pytest.fixture
def components(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["bom-ref"]: one for one in document["components"]}


def digest(component: dict[str, Any]) -> str:
    return str(component["hashes"][0]["content"])


def properties(component: dict[str, Any]) -> dict[str, str]:
    return {one["name"].removeprefix("ingot:"): one["value"] for one in component["properties"]}


def test_the_schema_holds(released: Released, document: dict[str, Any]) -> None:
    check((released.folder / "sbom.cdx.json").read_bytes())
    assert document["specVersion"] == "1.6" and document["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"


def test_every_input_is_there(released: Released, components: dict[str, dict[str, Any]]) -> None:
    """Each source file that a stage of the image read, with the bytes that it has now; each package of the root."""
    image = released.project.manifest()
    read = {path for stage, entry in image.items() for path in entry["inputs"]
            if (released.project.folder / path).is_file() and not stage.startswith(("compile:host", "host"))}
    assert len(read) > 90
    for path in (*read, *HOW):
        assert digest(components[f"file:{path}"]) == sha256(released.project.folder / path)
        assert components[f"file:{path}"]["licenses"][0]["license"]["id"] == "MIT"
    lock = lockfile.decode((released.project.folder / "toolchain/cc.lock").read_bytes(), "cc.lock")
    debs = {ref: one for ref, one in components.items() if ref.startswith("pkg:deb/")}
    assert sorted(digest(one) for one in debs.values()) == sorted(package.sha256 for package in lock.packages)
    assert GNU_EFI in debs
    assert all(one["purl"] == ref for ref, one in debs.items())


def test_what_the_release_consists_of(released: Released, document: dict[str, Any],
                                      components: dict[str, dict[str, Any]]) -> None:
    built = released.project.folder / "build/smoke"
    assert digest(document["metadata"]["component"]) == sha256(built / "smoke.img")
    assert digest(components["efi"]) == sha256(released.folder / "BOOTX64.EFI")
    model, data = components["model"], components["dataset"]
    assert model["type"] == "machine-learning-model" and digest(model) == sha256(built / "model.gguf")
    assert properties(model)["architecture"] == "gpt2"
    assert int(properties(model)["parameters"]) == (built / "model.f32").stat().st_size // 4
    assert data["type"] == "data" and digest(data) == sha256(built / "corpus.txt")
    assert (properties(data)["generator"], properties(data)["seed"]) == ("tales", "7")


def test_the_graph_leads_from_the_image_to_everything(document: dict[str, Any],
                                                      components: dict[str, dict[str, Any]]) -> None:
    needs = {one["ref"]: one.get("dependsOn", []) for one in document["dependencies"]}
    assert {"efi", "root:cc", "file:toolchain/image.py", *(f"file:{path}" for path in HOW)} == set(needs["image"])
    assert {"model", "root:cc", "file:efi_src/uefi/main.c", GNU_EFI} <= set(needs["efi"])
    assert "dataset" in needs["model"] and "file:model/datasets/tales.py" in needs["dataset"]
    assert "file:efi_src/train/main.c" in needs["model"] and "file:efi_src/train/main.c" not in needs["efi"]
    reached, waiting = set(), ["image"]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += needs[ref]
    assert reached == {"image", *components}


def test_what_only_builds_is_no_part_of_the_image(components: dict[str, dict[str, Any]]) -> None:
    """Of all packages only gnu-efi's own code is in it: its start-up code and library are linked in."""
    packages = {ref: one["scope"] for ref, one in components.items() if ref.startswith(("pkg:", "root:"))}
    assert packages.pop(GNU_EFI) == "required" and set(packages.values()) == {"excluded"}
    assert all("scope" not in one for ref, one in components.items() if not ref.startswith(("pkg:", "root:")))
    assert all(one["supplier"] == {"name": "Debian"} for ref, one in components.items() if ref.startswith("pkg:deb"))


def test_how_far_it_is_known(document: dict[str, Any], components: dict[str, dict[str, Any]]) -> None:
    assert document["metadata"]["lifecycles"] == [{"phase": "build"}]
    said = {one["aggregate"]: one["dependencies"] for one in document["compositions"]}
    assert said == {"complete": ["dataset", "efi", "image", "model", "root:cc"],
                    "incomplete": sorted(ref for ref in components if ref.startswith("pkg:"))}


def test_licences_of_what_the_project_makes(document: dict[str, Any], components: dict[str, dict[str, Any]]) -> None:
    for one in (document["metadata"]["component"], components["efi"], components["dataset"]):
        assert [licence["license"]["id"] for licence in one["licenses"]] == ["MIT"]


def test_licences_are_those_that_debian_declares(components: dict[str, dict[str, Any]]) -> None:
    """libexpat1's copyright file is machine-readable; gcc's is not, and nothing is said of it."""
    expat = next(one for ref, one in components.items() if ref.startswith("pkg:deb/debian/libexpat1@"))
    assert expat["licenses"] == [{"license": {"name": "MIT", "acknowledgement": "declared"}}]
    gcc = next(one for ref, one in components.items() if ref.startswith("pkg:deb/debian/gcc-12@"))
    assert "licenses" not in gcc


def test_the_same_content_has_the_same_bytes_and_number() -> None:
    main, part = Part("image", "firmware", "a", ZERO, "1", needs=("b",)), Part("b", "file", "b", ZERO)
    first = sbom.encode(main, [part], ("ingot", "1"), 7)
    assert first == sbom.encode(main, [part], ("ingot", "1"), 7)
    other = sbom.encode(main, [Part("b", "file", "b", "1" * 64)], ("ingot", "1"), 7)
    assert json.loads(first)["serialNumber"] != json.loads(other)["serialNumber"]


WORDS = st.text(st.characters(exclude_categories=("C",)), min_size=1, max_size=9)
KINDS = st.sampled_from(["file", "data", "library", "firmware", "machine-learning-model", "platform"])
LICENCES = st.lists(st.builds(Licence, WORDS | st.just("MIT"), st.booleans()), max_size=2).map(tuple)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.builds(Part, WORDS.map("r".__add__), KINDS, WORDS, st.just(ZERO), st.none() | WORDS, st.none(),
                          LICENCES), max_size=3, unique_by=lambda part: part.ref))
def test_any_names_fit_the_schema(parts: list[Part]) -> None:
    main = Part("image", "firmware", "a", ZERO, "1", needs=tuple(part.ref for part in parts))
    check(sbom.encode(main, parts, ("ingot", "1"), 0))


def test_a_download_is_named_with_its_address() -> None:
    part = Part("dataset", "data", "c.txt", ZERO, urls=("https://example.org/c.txt",))
    data = sbom.encode(Part("image", "firmware", "a", ZERO, "1", needs=("dataset",)), [part], ("ingot", "1"), 0)
    check(data)
    found = json.loads(data)["components"][0]["externalReferences"]
    assert found == [{"type": "distribution", "url": "https://example.org/c.txt"}]


def test_a_wheel_is_named_as_the_index_has_it() -> None:
    assert str(Purl("pypi", "numpy", "1.26.0")) == "pkg:pypi/numpy@1.26.0"


def licences_of(*found: Licence) -> Any:
    data = sbom.encode(Part("image", "firmware", "a", ZERO, "1", licences=found), [], ("ingot", "1"), 0)
    check(data)
    return json.loads(data)["metadata"]["component"]["licenses"]


def test_expressions_are_expressions() -> None:
    """CycloneDX takes one, and nothing beside it."""
    both, mit = Licence("MIT OR Apache-2.0", True), Licence("MIT", True)
    assert licences_of(both) == [{"expression": "MIT OR Apache-2.0", "acknowledgement": "declared"}]
    assert licences_of(mit) == [{"license": {"id": "MIT", "acknowledgement": "declared"}}]
    assert [list(one) for one in licences_of(mit, both)] == [["license"], ["license"]]
    assert [list(one) for one in licences_of(Licence("no OR (such", True))] == [["license"]]


DEP5 = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"


@pytest.mark.parametrize(("text", "names"), [
    (DEP5 + "\nFiles: *\nCopyright: x\nLicense: GPL-2+\n free text\n\nLicense: Apache-2\n text\n", ["GPL-2+"]),
    (DEP5 + "\nFiles: *\nLicense: Expat\n\nFiles: b\nLicense: Expat\n\nFiles: c\nLicense: BSD or GPL\n",
     ["BSD or GPL", "Expat"]),
    (DEP5.replace("https", "http") + "\r\n\r\nFiles: *\r\nlicense:MIT\r\n", ["MIT"]),
    (DEP5 + "\nFiles: *\nLicense:\n text\n", []),
    (DEP5 + "\nFiles: *\nLicense: a\x1bb\n", []),
    ("This is GPL.\n\nFiles: *\nLicense: GPL-2\n", []),
    ("Format: unknown\n\nFiles: *\nLicense: GPL-2\n", []),
    ("", []),
])
def test_machine_readable_copyrights(text: str, names: list[str]) -> None:
    assert [one.name for one in licences.debian(text)] == names


@given(st.text(max_size=200))
def test_any_copyright_is_read_or_left_out(text: str) -> None:
    for one in (*licences.debian(DEP5 + "\n" + text), *licences.python(text)):
        assert one.name and one.name.isprintable()


def test_wheels_that_say_it_in_spdx(tmp_path: Path) -> None:
    for name, line in (("A_b-1.0", "License-Expression: MIT OR Apache-2.0"), ("c-2", "License: BSD, I think")):
        folder = tmp_path / FOLDER / f"{name}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.4\n{line}\n\nLicense-Expression: no\n")
    wheels = tuple(Wheel(name, "1", f"{name}.whl", 1, ZERO) for name in ("a-b", "c", "d"))
    lock = Lock("ml", "bookworm", ZERO, (), (), (), (), wheels, ZERO)
    assert licences.of_root(tmp_path, lock) == {"a-b": (Licence("MIT OR Apache-2.0", True),)}


def test_links_do_not_lead_out_of_a_root(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("MIT License\n")
    root = tmp_path / "root"
    root.mkdir()
    (root / "LICENSE").symlink_to("../LICENSE")
    assert licences.of_project(root) == () and licences.of_project(tmp_path) == (Licence("MIT", True),)
