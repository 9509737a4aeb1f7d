"""provenance.json: how a release was made, as an in-toto Statement v1 with SLSA's provenance v1.

It holds every stage with all that its key is made of, so that a reader can compute each key again, and follow each
input to the source file or the stage that it comes from.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from toolchain.key import key_of

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD = "urn:ingot:build:v1"
BUILDER = "urn:ingot:builder:"
BUILDERS = ("local", "ci")  # names, and no claim of an SLSA level: nothing keeps a build from what signs it
TREE = "ingotTree"  # of digests: how toolchain/roots/tree.py reads a folder
MOST_BYTES = 32 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})?")
_UNSIGNED = "unsigned/"


class BadProvenance(Exception):
    """Bytes that are no provenance of ours; the text says what is wrong with them."""


@dataclass(frozen=True)
class File:
    """An output of a stage."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Origin:
    """Where an input comes from: a source file, or (`stage` is not empty) another stage's output."""

    path: str
    stage: str = ""


@dataclass(frozen=True)
class StageRecord:
    """One stage. `fields` is what the key is made of, `origins` where each of the inputs comes from.

    `fetched`: its result is from a remote cache; None where that is not known.
    """

    name: str
    key: str
    fields: Mapping[str, Any]
    origins: Mapping[str, Origin]
    executor: str
    outputs: Mapping[str, File]
    seconds: float
    fetched: bool | None = False

    @property
    def holds(self) -> bool:
        """Whether the key is that of the fields, and the fields are those of this stage."""
        try:
            key = key_of(dict(self.fields))
        except (ValueError, RecursionError):  # no key is made of such values
            return False
        return (key == self.key and self.fields.get("stage") == self.name
                and self.fields.get("outputs") == list(self.outputs))

    @property
    def inputs(self) -> Mapping[str, str]:
        """Path -> sha256 of its content; `+x` follows for a program."""
        found = self.fields.get("inputs", {})
        return found if isinstance(found, dict) else {}

    @property
    def toolchain(self) -> str:
        """`ROOT:sha256 of its lock`, or `host:…`; empty for a download."""
        return str(self.fields.get("toolchain", ""))

    @property
    def pinned(self) -> bool:
        """Whether its tools were those of a root."""
        return not self.toolchain.startswith("host:") and self.executor != "host"


@dataclass(frozen=True)
class Root:
    """A toolchain root that stages ran in."""

    name: str
    lock: str  # sha256 of the lock file
    tree: str  # sha256 of the unpacked tree


@dataclass(frozen=True)
class Source:
    """A file that was downloaded."""

    name: str
    sha256: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Provenance:
    """All that provenance.json says."""

    subjects: Mapping[str, str]  # file of the release -> sha256
    image: str
    version: str
    recipe: str  # the text of images/NAME.yaml
    variables: Mapping[str, str]
    stages: tuple[StageRecord, ...]  # in the order of the build
    roots: tuple[Root, ...] = ()
    downloads: tuple[Source, ...] = ()
    commit: str = ""  # of git; empty where there was none
    changed: bool = False  # whether the tree was another than the commit's
    repository: str = ""  # its address, as pyproject.toml has it
    certificate: str = ""  # sha256 of the Secure Boot certificate (DER); empty where there was none
    force: bool = False  # whether force=1 was asked for
    forced: tuple[str, ...] = ()  # what spoke against the release; force=1 made it all the same
    sources: Mapping[str, str] = field(default_factory=dict)  # files that say how it is built -> sha256
    checked: Mapping[str, str] = field(default_factory=dict)  # files that were only looked at, likewise
    byproducts: Mapping[str, str] = field(default_factory=dict)  # other files that it speaks of -> sha256
    builder: str = BUILDERS[0]
    versions: Mapping[str, str] = field(default_factory=dict)  # of ingot, and of what wrote the release's files

    @property
    def recipe_sha256(self) -> str:
        """Of the recipe's text."""
        return hashlib.sha256(self.recipe.encode()).hexdigest()

    @property
    def unsigned(self) -> dict[str, str]:
        """Output (`BOOTX64.EFI`, `NAME.img`) -> sha256 before Secure Boot's signature; empty where there is none."""
        return {name.removeprefix(_UNSIGNED): digest for name, digest in self.byproducts.items()
                if name.startswith(_UNSIGNED)}

    def stage(self, name: str) -> StageRecord | None:
        """The stage of this name."""
        return next((stage for stage in self.stages if stage.name == name), None)


def unsigned(digests: Mapping[str, str]) -> dict[str, str]:
    """`Provenance.unsigned` as it is kept among the byproducts."""
    return {_UNSIGNED + name: digest for name, digest in digests.items()}


def encode(provenance: Provenance) -> bytes:
    """The statement; the same provenance gives the same bytes."""
    return json.dumps(_statement(provenance), indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"


def read(data: bytes) -> Provenance:
    """The provenance that these bytes hold; raises BadProvenance for whatever `encode` would not write."""
    if len(data) > MOST_BYTES:
        raise BadProvenance(f"it is longer than {MOST_BYTES} bytes")
    try:
        found = _read(json.loads(data))
        same = encode(found) == data
    except BadProvenance:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as exc:
        raise BadProvenance(f"it is not a statement of ingot ({type(exc).__name__})") from None
    if not same:
        raise BadProvenance("it holds something that ingot does not write there")
    return found


# -- to JSON --


def _statement(of: Provenance) -> dict[str, Any]:
    external: dict[str, Any] = {
        "image": of.image, "version": of.version, "force": of.force, "variables": dict(of.variables),
        "recipe": {"text": of.recipe, "sha256": of.recipe_sha256}}
    if of.certificate:
        external["certificate"] = {"sha256": of.certificate}
    internal: dict[str, Any] = {"stages": [_stage(stage) for stage in of.stages]}
    if of.forced:
        internal["forced"] = list(of.forced)
    return {
        "_type": STATEMENT, "predicateType": PREDICATE,
        "subject": [_resource(name, digest) for name, digest in sorted(of.subjects.items())],
        "predicate": {
            "buildDefinition": {"buildType": BUILD, "externalParameters": external, "internalParameters": internal,
                                "resolvedDependencies": _dependencies(of)},
            "runDetails": {"builder": {"id": BUILDER + of.builder, "version": dict(of.versions)},
                           "byproducts": [_resource(name, digest) for name, digest in sorted(of.byproducts.items())]}}}


def _stage(stage: StageRecord) -> dict[str, Any]:
    return {"name": stage.name, "key": stage.key, "fields": dict(stage.fields),
            "origins": {path: _origin(origin) for path, origin in stage.origins.items()},
            "executor": stage.executor, "pinned": stage.pinned, "seconds": stage.seconds, "fetched": stage.fetched,
            "outputs": [{"name": name, "digest": {"sha256": file.sha256}, "size": file.size}
                        for name, file in stage.outputs.items()]}


def _origin(origin: Origin) -> dict[str, str]:
    return {"stage": origin.stage, "path": origin.path} if origin.stage else {"path": origin.path}


def _dependencies(of: Provenance) -> list[dict[str, Any]]:
    commit = [{"name": "git", "digest": {"gitCommit": of.commit}, "annotations": {"changed": of.changed},
               **({"uri": of.repository} if of.repository else {})}] if of.commit else []
    roots = [{"name": f"root:{root.name}", "digest": {TREE: root.tree}, "annotations": {"lock": root.lock}}
             for root in of.roots]
    files = [_resource(f"{kind}:{path}", digest) for kind, found in (("file", of.sources), ("checked", of.checked))
             for path, digest in sorted(found.items())]
    return [*commit, *files, *roots, *map(_download, of.downloads)]


def _download(one: Source) -> dict[str, Any]:
    """The standard knows of one address."""
    found = _resource(f"download:{one.name}", one.sha256)
    if one.urls:
        found["downloadLocation"] = one.urls[0]
    return {**found, "annotations": {"otherLocations": list(one.urls[1:])}} if one.urls[1:] else found


def _resource(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": digest}}


# -- from JSON: what is not looked at here, `read` finds by writing it again --


def _read(raw: Any) -> Provenance:
    if raw["_type"] != STATEMENT or raw["predicateType"] != PREDICATE:
        raise BadProvenance("it is no SLSA provenance v1")
    build, run = raw["predicate"]["buildDefinition"], raw["predicate"]["runDetails"]
    if build["buildType"] != BUILD:
        raise BadProvenance(f"its build type is not {BUILD}")
    external, internal = build["externalParameters"], build["internalParameters"]
    builder = _text(run["builder"]["id"]).removeprefix(BUILDER)
    if builder not in BUILDERS:
        raise BadProvenance("its builder is none of ingot's")
    return Provenance(
        subjects=_digests(raw["subject"]), image=_text(external["image"]), version=_text(external["version"]),
        recipe=_text(external["recipe"]["text"], lines=True), variables=_texts(external["variables"]),
        stages=tuple(_read_stage(stage) for stage in internal["stages"]),
        certificate=_sha256(external["certificate"]["sha256"]) if "certificate" in external else "",
        force=_flag(external["force"]), forced=tuple(_text(reason) for reason in internal.get("forced", [])),
        byproducts=_digests(run["byproducts"]), builder=builder, versions=_texts(run["builder"]["version"]),
        **_read_dependencies(build["resolvedDependencies"]))


def _read_stage(raw: Any) -> StageRecord:
    name, seconds = _text(raw["name"]), raw["seconds"]
    if not isinstance(raw["fields"], dict) or type(seconds) not in (int, float) or not math.isfinite(seconds):
        raise BadProvenance(f"stage {name} is not as ingot writes it")
    outputs = {}
    for output in raw["outputs"]:
        size = output["size"]
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise BadProvenance(f"stage {name} has an output without a size")
        outputs[_text(output["name"])] = File(_sha256(output["digest"]["sha256"]), size)
    origins = {_text(path): Origin(_text(one["path"]), _text(one.get("stage", "")))
               for path, one in raw["origins"].items()}
    return StageRecord(name, _sha256(raw["key"]), raw["fields"], origins, _text(raw["executor"]), outputs, seconds,
                       _flag(raw["fetched"]) if raw["fetched"] is not None else None)


def _read_dependencies(raw: Any) -> dict[str, Any]:
    """Fields of Provenance."""
    found: dict[str, Any] = {}
    roots: list[Root] = []
    downloads: list[Source] = []
    files: dict[str, dict[str, str]] = {"file": {}, "checked": {}}
    for one in raw:
        kind, _, name = _text(one["name"]).partition(":")
        if kind == "git":
            found = {"commit": _text(one["digest"]["gitCommit"]), "changed": _flag(one["annotations"]["changed"]),
                     "repository": _text(one.get("uri", ""))}
            if not _COMMIT.fullmatch(found["commit"]):
                raise BadProvenance("its commit is none")
        elif kind in files:
            files[kind][name] = _sha256(one["digest"]["sha256"])
        elif kind == "root":
            roots.append(Root(name, _sha256(one["annotations"]["lock"]), _sha256(one["digest"][TREE])))
        elif kind == "download":
            urls = _read_urls(one)
            downloads.append(Source(name, _sha256(one["digest"]["sha256"]), urls))
        else:
            raise BadProvenance("it names a dependency of an unknown kind")
    return {**found, "roots": tuple(roots), "downloads": tuple(downloads), "sources": files["file"],
            "checked": files["checked"]}


def _read_urls(raw: Any) -> tuple[str, ...]:
    if "downloadLocation" not in raw:
        return ()
    others = raw["annotations"]["otherLocations"] if "annotations" in raw else []
    return tuple(_text(url) for url in (raw["downloadLocation"], *others))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadProvenance("a yes or no in it is neither")
    return value


def _digests(raw: Any) -> dict[str, str]:
    return {_text(one["name"]): _sha256(one["digest"]["sha256"]) for one in raw}


def _texts(raw: Any) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in raw.items()}


def _text(value: Any, *, lines: bool = False) -> str:
    """A text that a terminal shows as it is."""
    if not isinstance(value, str) or not all(char.isprintable() or (lines and char in "\n\t\r") for char in value):
        raise BadProvenance("a text in it is none")
    return value


def _sha256(value: Any) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise BadProvenance("a digest in it is no sha256")
    return value
