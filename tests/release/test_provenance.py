"""provenance.json: what is written is read back, and nothing else is read."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain.key import key_of
from toolchain.release import provenance
from toolchain.release.provenance import BadProvenance, File, Origin, Provenance, Root, Source, StageRecord, unsigned

ZERO, ONE = "0" * 64, "1" * 64
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
TEXTS = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
NUMBERS = st.floats(0, 1e6) | st.integers(0, 10**6)


def record(name: str = "one", **more: Any) -> StageRecord:
    """A stage whose key is right."""
    fields = {"format": 1, "stage": name, "outputs": ["out"], "argv": ["true"], "inputs": {"a.c": ZERO + "+x"},
              "params": {}, "scratch": False, "toolchain": f"cc:{ONE}"}
    values: dict[str, Any] = {"name": name, "key": key_of(fields), "fields": fields, "origins": {"a.c": Origin("a.c")},
                              "executor": "docker", "outputs": {"out": File(ONE, 3)}, "seconds": 0.25}
    return StageRecord(**{**values, **more})


WHOLE = Provenance(
    subjects={"a.img": ZERO}, image="a", version="1.0", recipe="title: A\n\tb: é\n", variables={"toolchain": "docker"},
    stages=(record(), record("two", origins={"a.c": Origin("out", "one")})), roots=(Root("cc", ZERO, ONE),),
    downloads=(Source("corpus.txt", ONE, ("https://example.org/c", "https://example.org/d")),), commit="a" * 40,
    changed=True, repository="https://example.org/ingot", certificate=ONE, force=True, forced=("the tree is dirty",),
    sources={"dodo.py": ONE}, checked={"CHANGELOG.md": ZERO}, byproducts=unsigned({"a.img": ONE}), builder="ci",
    versions={"ingot": "0.1.0", "zstandard": "0.25"})


@st.composite
def provenances(draw: st.DrawFn) -> Provenance:
    """Any at all."""
    files = st.dictionaries(TEXTS, st.builds(File, DIGESTS, st.integers(0, 2**40)), max_size=2)
    stages = st.builds(StageRecord, TEXTS, DIGESTS, st.dictionaries(TEXTS, TEXTS | NUMBERS | st.none(), max_size=2),
                       st.dictionaries(TEXTS, st.builds(Origin, TEXTS, TEXTS | st.just("")), max_size=2), TEXTS, files,
                       NUMBERS, st.none() | st.booleans())
    few = st.dictionaries(TEXTS, DIGESTS, max_size=2)
    return Provenance(
        draw(few), draw(TEXTS), draw(TEXTS), draw(TEXTS), draw(st.dictionaries(TEXTS, TEXTS, max_size=2)),
        tuple(draw(st.lists(stages, max_size=2))), tuple(draw(st.lists(st.builds(Root, TEXTS, DIGESTS, DIGESTS),
                                                                      max_size=1))),
        tuple(draw(st.lists(st.builds(Source, TEXTS, DIGESTS, st.lists(TEXTS, max_size=2).map(tuple)), max_size=1))),
        *draw(st.just(("", False, "")) | st.tuples(st.sampled_from(["0" * 40, "f" * 64]), st.booleans(),
                                                   st.just("") | TEXTS)), draw(st.just("") | DIGESTS),
        draw(st.booleans()), tuple(draw(st.lists(TEXTS, max_size=2))), draw(few), draw(few), draw(few),
        draw(st.sampled_from(provenance.BUILDERS)), draw(st.dictionaries(TEXTS, TEXTS, max_size=2)))


@given(provenances())
def test_what_is_written_is_read(whole: Provenance) -> None:
    assert provenance.read(provenance.encode(whole)) == whole


def test_what_it_says_of_itself() -> None:
    read = provenance.read(provenance.encode(WHOLE))
    assert read == WHOLE and read.unsigned == {"a.img": ONE}
    first = read.stages[0]
    assert first.holds and first.pinned and first.inputs == {"a.c": ZERO + "+x"} and read.stage("one") is first
    assert read.stage("none") is None
    assert not record(key=ZERO).holds and not record(outputs={"other": File(ONE, 3)}).holds
    assert not record(executor="host").pinned


def test_the_standard_s_names() -> None:
    """in-toto Statement v1, SLSA provenance v1."""
    raw = json.loads(provenance.encode(WHOLE))
    assert raw["_type"] == "https://in-toto.io/Statement/v1" and raw["predicateType"] == "https://slsa.dev/provenance/v1"
    assert raw["subject"] == [{"name": "a.img", "digest": {"sha256": ZERO}}]
    predicate = raw["predicate"]
    assert set(predicate) == {"buildDefinition", "runDetails"}
    assert set(predicate["buildDefinition"]) == {"buildType", "externalParameters", "internalParameters",
                                                 "resolvedDependencies"}
    assert predicate["buildDefinition"]["externalParameters"]["force"] is True
    needs = {one["name"]: one for one in predicate["buildDefinition"]["resolvedDependencies"]}
    assert needs == {
        "git": {"name": "git", "digest": {"gitCommit": "a" * 40}, "annotations": {"changed": True},
                "uri": "https://example.org/ingot"},
        "file:dodo.py": {"name": "file:dodo.py", "digest": {"sha256": ONE}},
        "checked:CHANGELOG.md": {"name": "checked:CHANGELOG.md", "digest": {"sha256": ZERO}},
        "root:cc": {"name": "root:cc", "digest": {"ingotTree": ONE}, "annotations": {"lock": ZERO}},
        "download:corpus.txt": {"name": "download:corpus.txt", "digest": {"sha256": ONE},
                                "downloadLocation": "https://example.org/c",
                                "annotations": {"otherLocations": ["https://example.org/d"]}}}
    run = predicate["runDetails"]
    assert set(run) == {"builder", "byproducts"} and run["byproducts"] == [
        {"name": "unsigned/a.img", "digest": {"sha256": ONE}}]
    assert run["builder"] == {"id": "urn:ingot:builder:ci", "version": {"ingot": "0.1.0", "zstandard": "0.25"}}


def test_where_a_stage_s_result_comes_from() -> None:
    stages = tuple(record(str(fetched), fetched=fetched) for fetched in (True, False, None))
    raw = json.loads(provenance.encode(replace(WHOLE, stages=stages)))
    found = raw["predicate"]["buildDefinition"]["internalParameters"]["stages"]
    assert [one["fetched"] for one in found] == [True, False, None]


@given(st.data())
def test_damaged_bytes_are_refused_or_say_something_else(data: st.DataObject) -> None:
    good = provenance.encode(WHOLE)
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1:]
    with contextlib.suppress(BadProvenance):
        assert provenance.read(bad) != WHOLE


def paths(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in a JSON document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(path for key, one in inner for path in paths(one, (*above, key)))]


STRANGE = [None, True, -1, 10**400, "", "\u001b[31m", "\u202e", [], {}, [[]], {"a": {}}, "x" * 65]


@pytest.mark.parametrize("strange", STRANGE, ids=lambda value: repr(value)[:20])
def test_strange_values_anywhere(strange: Any) -> None:
    """Every value of the document in turn is another: it is refused, or read as just that."""
    good = json.loads(provenance.encode(WHOLE))
    for path in paths(good):
        raw = json.loads(provenance.encode(WHOLE))
        if path:
            inner = raw
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = strange
        else:
            raw = strange
        data = json.dumps(raw, indent=1, sort_keys=True).encode() + b"\n"
        try:
            read = provenance.read(data)
        except BadProvenance:
            continue
        assert provenance.encode(read) == data
        assert "\u001b" not in read.image + read.version + read.recipe + "".join(read.subjects)


@pytest.mark.parametrize("digest", ["0" * 63, "A" * 64, "0" * 64 + "\n", "sha256:" + "0" * 57])
def test_what_is_no_digest(digest: str) -> None:
    """Wherever a digest stands, all in one document: none of those in the keys' fields, of which the key speaks."""
    raw = json.loads(provenance.encode(WHOLE))
    held = [path for path in paths(raw) if path[-1:] in (("sha256",), ("lock",), ("key",)) and "fields" not in path]
    assert len(held) > 9
    for path in held:
        raw = json.loads(provenance.encode(WHOLE))
        inner = raw
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = digest
        with pytest.raises(BadProvenance):
            provenance.read(json.dumps(raw, indent=1, sort_keys=True).encode() + b"\n")


def more(raw: Any) -> None:
    raw["more"] = 1


def no_subject(raw: Any) -> None:
    del raw["subject"]


def other_recipe(raw: Any) -> None:
    raw["predicate"]["buildDefinition"]["externalParameters"]["recipe"]["text"] += "#"


def other_builder(raw: Any) -> None:
    raw["predicate"]["runDetails"]["builder"]["id"] = "urn:ingot:builder:slsa3"


def other_kind(raw: Any) -> None:
    raw["predicate"]["buildDefinition"]["resolvedDependencies"].append({"name": "x", "digest": {"sha256": ZERO}})


def pinned(raw: Any) -> None:
    raw["predicate"]["buildDefinition"]["internalParameters"]["stages"][0]["executor"] = "host"


@pytest.mark.parametrize("change", [more, no_subject, other_recipe, other_builder, other_kind, pinned])
def test_documents_that_contradict_themselves(change: Callable[[Any], None]) -> None:
    raw = json.loads(provenance.encode(WHOLE))
    change(raw)
    with pytest.raises(BadProvenance):
        provenance.read(json.dumps(raw, indent=1, sort_keys=True).encode() + b"\n")


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, b"NaN", b'{"_type":1}',
                                  provenance.encode(WHOLE)[:-1], b" " + provenance.encode(WHOLE),
                                  provenance.encode(WHOLE).replace(b'"_type"', b'"_type": "x",\n "_type"')])
def test_what_is_no_provenance(data: bytes) -> None:
    with pytest.raises(BadProvenance):
        provenance.read(data)


def test_no_more_is_read_than_there_may_be() -> None:
    with pytest.raises(BadProvenance, match="longer"):
        provenance.read(b" " * (provenance.MOST_BYTES + 1))
