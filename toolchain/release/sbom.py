"""sbom.cdx.json: everything that went into an image, as CycloneDX 1.6. The same content gives the same bytes.

What is only used to build (compilers) has the scope `excluded`.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from toolchain.release.licences import Licence

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component

_SPACE = uuid.UUID("6d7f6a7e-6f3a-5c0e-9a53-0f1f3a0d6c11")  # of our serial numbers: made up, fixed


@dataclass(frozen=True)
class Purl:
    """A package URL's parts."""

    type: str
    name: str
    version: str
    namespace: str | None = None
    arch: str | None = None
    distro: str | None = None

    def __str__(self) -> str:
        from packageurl import PackageURL

        return str(PackageURL(**self.parts))

    @property
    def parts(self) -> dict[str, Any]:
        """As PackageURL takes them."""
        return {"type": self.type, "namespace": self.namespace, "name": self.name, "version": self.version,
                "qualifiers": {name: value for name, value in (("arch", self.arch), ("distro", self.distro)) if value}}


@dataclass(frozen=True)
class Part:
    """One component. `kind` and `scope` are words of CycloneDX, `needs` are the refs of what it was made from, and
    `known` is how far those are known (complete, incomplete, unknown; empty where nothing is said)."""

    ref: str
    kind: str
    name: str
    sha256: str = ""
    version: str | None = None
    description: str | None = None
    licences: tuple[Licence, ...] = ()
    purl: Purl | None = None
    urls: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    needs: tuple[str, ...] = ()
    scope: str | None = None
    supplier: str = ""
    known: str = ""


def encode(main: Part, parts: Sequence[Part], tool: tuple[str, str], time: int) -> bytes:
    """The document about `main`; `tool` (name, version) made it, `time` is that of the commit."""
    more = {"compositions": _compositions((main, *parts))}
    first = _write(_bom(main, parts, tool, time, uuid.UUID(int=0)), more)
    serial = uuid.uuid5(_SPACE, hashlib.sha256(first).hexdigest())
    return _write(_bom(main, parts, tool, time, serial), more)


def _compositions(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """The library has no word for them."""
    return [{"aggregate": known, "dependencies": sorted(part.ref for part in parts if part.known == known)}
            for known in sorted({part.known for part in parts if part.known})]


def _bom(main: Part, parts: Iterable[Part], tool: tuple[str, str], time: int, serial: uuid.UUID) -> Bom:
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
    from cyclonedx.model.tool import ToolRepository

    maker = Component(name=tool[0], version=tool[1], type=ComponentType.APPLICATION, bom_ref="tool:ingot")
    made: dict[str, Component] = {part.ref: _component(part) for part in (main, *parts)}
    bom = Bom(serial_number=serial, components=[made[part.ref] for part in parts], metadata=BomMetaData(
        component=made[main.ref], lifecycles=[PredefinedLifecycle(LifecyclePhase.BUILD)],
        tools=ToolRepository(components=[maker]), timestamp=datetime.fromtimestamp(time, timezone.utc)))
    for part in (main, *parts):
        bom.register_dependency(made[part.ref], [made[ref] for ref in part.needs])
    return bom


def _component(part: Part) -> Component:
    from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
    from cyclonedx.model.component import Component, ComponentScope, ComponentType
    from cyclonedx.model.contact import OrganizationalEntity
    from packageurl import PackageURL

    return Component(
        bom_ref=part.ref, type=ComponentType(part.kind), name=part.name, version=part.version,
        description=part.description, scope=ComponentScope(part.scope) if part.scope else None,
        supplier=OrganizationalEntity(name=part.supplier) if part.supplier else None, licenses=_licences(part.licences),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=part.sha256)] if part.sha256 else [],
        purl=PackageURL(**part.purl.parts) if part.purl else None,
        external_references=[ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(url))
                             for url in part.urls],
        properties=[Property(name=name, value=value) for name, value in part.properties])


def _licences(licences: Iterable[Licence]) -> list[Any]:
    """SPDX's own identifiers as such, an expression where it stands alone, all other words as plain names."""
    from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement, LicenseExpression
    from cyclonedx.spdx import is_expression, is_supported_id

    said, licences = LicenseAcknowledgement.DECLARED, tuple(licences)
    if len(licences) == 1 and licences[0].spdx and not is_supported_id(licences[0].name) and is_expression(
            licences[0].name):
        return [LicenseExpression(licences[0].name, acknowledgement=said)]
    return [DisjunctiveLicense(id=one.name, acknowledgement=said) if one.spdx and is_supported_id(one.name)
            else DisjunctiveLicense(name=one.name, acknowledgement=said) for one in licences]


def _write(bom: Bom, more: Mapping[str, Any]) -> bytes:
    from cyclonedx.output.json import JsonV1Dot6

    document: Mapping[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    return json.dumps({**document, **more}, indent=1, sort_keys=True).encode() + b"\n"
