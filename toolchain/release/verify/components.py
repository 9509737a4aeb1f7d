"""sbom.cdx.json as it is written by ingot, and in no other way: whoever reads it with another program sees the same."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from toolchain.release import SBOM
from toolchain.release.verify.lie import Lie

SIZE = "ingot:size"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PURL = re.compile(r"pkg:(?:deb/debian|pypi)/([^@?/]+)@([^@?]+)(?:\?[a-z0-9=&-]+)?")
_TOP = {"$schema", "bomFormat", "specVersion", "serialNumber", "version", "metadata", "components", "dependencies",
        "compositions"}
_MORE = {"description", "externalReferences", "hashes", "licenses", "properties", "purl", "scope", "supplier",
         "version"}  # of a component, if there is something to say
_TYPES = {"image": "firmware", "efi": "firmware", "model": "machine-learning-model", "tokenizer": "data",
          "dataset": "data", "file": "file", "root": "platform", "pkg": "library", "tool": "application"}


@dataclass(frozen=True)
class Component:
    """What is read of one. Empty: not given."""

    ref: str
    name: str
    version: str
    sha256: str
    size: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Bill:
    """All that is read: the image, its components by ref, and what each was made from."""

    image: Component
    components: Mapping[str, Component]
    needs: Mapping[str, frozenset[str]]


def read(data: bytes) -> Bill:
    """Raises Lie for what is no CycloneDX document of ours."""
    try:
        raw = json.loads(data)
        if raw["bomFormat"] != "CycloneDX" or raw["specVersion"] != "1.6":
            raise Lie(SBOM, "it is not CycloneDX 1.6")
        if json.dumps(raw, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n" != data:  # a key given twice
            raise Lie(SBOM, "it is not written as ./doit release writes it")
        return _bill(raw)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise Lie(SBOM, "it is not a list of components as ingot writes it") from None


def _bill(raw: Any) -> Bill:
    _object(raw, _TOP)
    head = _object(raw["metadata"], {"component", "lifecycles", "timestamp", "tools"})
    if repr(raw["version"]) != "1" or head["lifecycles"] != [{"phase": "build"}]:
        raise ValueError(raw["version"])
    for tool in _object(head["tools"], {"components"})["components"]:
        _component(tool)
    _texts(raw["$schema"], raw["serialNumber"], head["timestamp"])
    components: dict[str, Component] = {}
    for one in map(_component, raw["components"]):
        if components.setdefault(one.ref, one) is not one:
            raise Lie(SBOM, f"it lists {one.ref} twice")
    image = _component(head["component"])
    if image.ref != "image" or "image" in components:
        raise ValueError(image.ref)
    needs = _needs(raw["dependencies"])
    said = [ref for one in raw["compositions"] for ref in _object(one, {"aggregate", "dependencies"})["dependencies"]]
    for ref in sorted({*said, *needs, *(one for refs in needs.values() for one in refs)} - {"image", *components}):
        raise Lie(SBOM, f"it needs {ref}, which it does not list")
    return Bill(image, components, needs)


def _needs(raw: Any) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for one in raw:
        _object(one, {"ref"}, {"dependsOn"})
        refs = _texts(*one.get("dependsOn", []))
        if one["ref"] in found or len(set(refs)) != len(refs):
            raise ValueError(one)
        found[one["ref"]] = frozenset(refs)
    return found


def _component(raw: Any) -> Component:
    _object(raw, {"bom-ref", "name", "type"}, _MORE)
    ref, name, version, purl = _texts(raw["bom-ref"], raw["name"], raw.get("version", ""), raw.get("purl", ""))
    _texts(raw.get("description", ""), raw.get("scope", ""), _object(raw.get("supplier", {}), set(), {"name"}).get(
        "name", ""))
    kind = ref.partition(":")[0]
    if _TYPES.get(kind, raw["type"]) != raw["type"]:
        raise Lie(SBOM, f"it says that {ref} is a {raw['type']}")
    if purl != (ref if kind == "pkg" else "") or (kind == "pkg" and not _named(ref, name, version)):
        raise Lie(SBOM, f"it says of {ref} that it is {name} {version}")
    for licence in raw.get("licenses", []):
        if set(licence) == {"license"}:
            licence = _object(licence["license"], {"acknowledgement"}, {"id", "name"})
        else:
            _object(licence, {"acknowledgement", "expression"})
        _texts(*licence.values())
    return Component(ref, name, version, _digest(ref, kind, raw.get("hashes", [])), _size(raw.get("properties", [])),
                     tuple(_url(one) for one in raw.get("externalReferences", [])))


def _named(purl: str, name: str, version: str) -> bool:
    """Whether name and version are those of the package URL."""
    match = _PURL.fullmatch(purl)
    return match is not None and (unquote(match[1]), unquote(match[2])) in ((name, version), (
        name.lower().replace("_", "-"), version))


def _digest(ref: str, kind: str, raw: Any) -> str:
    """Of a root the version is one; all else has exactly one sha256."""
    wanted = 0 if kind in ("root", "tool") else 1
    if len(raw) != wanted:
        raise Lie(SBOM, f"it has {len(raw)} digests of {ref}, not {wanted}")
    if not wanted:
        return ""
    only = _object(raw[0], {"alg", "content"})
    if only["alg"] != "SHA-256" or not _SHA256.fullmatch(only["content"]):
        raise Lie(SBOM, f"its digest of {ref} is no sha256")
    return str(only["content"])


def _size(raw: Any) -> str:
    found: dict[str, str] = {}
    for one in raw:
        _object(one, {"name", "value"})
        name, value = _texts(one["name"], one["value"])
        if name in found or not name.startswith("ingot:"):
            raise ValueError(name)
        found[name] = value
    return found.get(SIZE, "")


def _url(raw: Any) -> str:
    _object(raw, {"type", "url"})
    if raw["type"] != "distribution":
        raise ValueError(raw)
    return _texts(raw["url"])[0]


def _object(raw: Any, needed: set[str], more: set[str] | None = None) -> dict[str, Any]:
    """With these names and no others."""
    if not isinstance(raw, dict) or not needed <= raw.keys() <= needed | (more or set()):
        raise ValueError(raw)
    return raw


def _texts(*values: Any) -> tuple[str, ...]:
    if not all(isinstance(value, str) for value in values):
        raise TypeError(values)
    return values
