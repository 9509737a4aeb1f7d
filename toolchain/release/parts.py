"""What an image is made of, for its SBOM: from the image down to every source file, package and wheel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolchain.learning import Learning, Texts
from toolchain.pinned import Pinned
from toolchain.recipe import Dataset, Published, Recipe, Training
from toolchain.release.licences import Licence
from toolchain.release.provenance import File, Origin, StageRecord
from toolchain.release.sbom import Part, Purl
from toolchain.roots.lockfile import Lock, Package

# An output that is a component of its own -> its ref. What lies between two of them is not shown.
_EFI = "BOOTX64.EFI"
_REFS = {_EFI: "efi", "model.gguf": "model", "model.bin": "model", "tokenizer.bin": "tokenizer",
         "corpus.txt": "dataset", "corpus.json": "dataset", "corpus.tar.gz": "dataset"}
_LINKED = ("gnu-efi",)  # packages whose own code is in the EFI program: dodo.py GNU_EFI, efi_src/uefi/link.sh
_RELEASES = {"bookworm": "debian-12", "trixie": "debian-13"}


@dataclass(frozen=True)
class Content:
    """All that the list is made from."""

    recipe: Recipe
    version: str
    image: File  # uncompressed, as released
    efi: File  # as released: signed, if it was signed
    stages: Sequence[StageRecord]
    locks: Mapping[str, Lock]  # of the roots that stages ran in
    licences: Mapping[str, Mapping[str, tuple[Licence, ...]]]  # root -> package -> licences
    project: tuple[Licence, ...]  # licence of the sources
    downloads: Mapping[str, tuple[str, ...]]  # stage -> addresses
    model: Mapping[str, str]  # what the model's file says of itself
    sources: Mapping[str, str]  # files that say how it is built -> sha256
    whole: bool  # whether all that went in is known: false for what this machine's own tools made

    @property
    def known(self) -> str:
        """What CycloneDX calls that."""
        return "complete" if self.whole else "incomplete"


def main_part(content: Content) -> Part:
    """The image."""
    name = content.recipe.name
    needs = _needs(content, next(stage for stage in content.stages if f"{name}.img" in stage.outputs))
    return Part("image", "firmware", name, content.image.sha256, content.version, "bootable disk image",
                needs=tuple(sorted({*needs, *(f"file:{path}" for path in content.sources)})), known=content.known,
                licences=content.project, properties=(("ingot:size", str(content.image.size)),))


def parts(content: Content) -> list[Part]:
    """Everything else, sorted by ref."""
    found = [*_products(content), *_sources(content), *_roots(content)]
    return sorted(found, key=lambda part: part.ref)


def _products(content: Content) -> Iterator[Part]:
    made = {output: stage for stage in content.stages for output in stage.outputs}
    if _EFI in made:
        needs = {*_needs(content, made[_EFI]), *_linked(content, made[_EFI])}
        yield Part("efi", "firmware", _EFI, content.efi.sha256, content.version, "EFI program", known=content.known,
                   licences=content.project, needs=tuple(sorted(needs)),
                   properties=(("ingot:size", str(content.efi.size)),))
    source = content.recipe.source
    if isinstance(source, Published):
        yield from (_published(content, made[name], name, file) for name, file in source.files.items() if name in made)
        return
    for output, ref in _REFS.items():
        if output in made and ref == "dataset":
            yield _dataset(content, source.dataset, output, made[output])
        elif output in made and ref == "model":
            yield _model(content, source, output, made[output])
        elif output in made and ref == "tokenizer":
            file = made[output].outputs[output]
            yield Part(ref, "data", output, file.sha256, needs=_needs(content, made[output]), known=content.known,
                       properties=(("ingot:size", str(file.size)),))


def _published(content: Content, stage: StageRecord, output: str, file: Pinned) -> Part:
    """A file that others have made: of what, nobody here knows."""
    ref = _REFS[output]
    facts = content.model if ref == "model" else {}
    properties = {"size": str(stage.outputs[output].size), **facts}
    return Part(ref, "machine-learning-model" if ref == "model" else "data", file.file, stage.outputs[output].sha256,
                description="downloaded", urls=content.downloads.get(stage.name, ()), needs=_needs(content, stage),
                properties=tuple((f"ingot:{name}", value) for name, value in sorted(properties.items())),
                known="unknown")


def _model(content: Content, source: Training | Learning, output: str, stage: StageRecord) -> Part:
    tokenizer = source.tokenizer.kind if isinstance(source, Learning) else source.tokenizer
    properties = {"size": str(stage.outputs[output].size), "tokenizer": tokenizer, **content.model}
    return Part("model", "machine-learning-model", output, stage.outputs[output].sha256,
                description=content.recipe.title,
                properties=tuple((f"ingot:{name}", value) for name, value in sorted(properties.items())),
                needs=_needs(content, stage), known=content.known)


def _dataset(content: Content, data: Dataset | Texts, output: str, stage: StageRecord) -> Part:
    properties = [("ingot:size", str(stage.outputs[output].size))]
    if data.generator is not None:
        properties += [("ingot:generator", data.generator), ("ingot:seed", str(data.seed))]
    return Part("dataset", "data", data.file or output, stage.outputs[output].sha256,
                description="downloaded" if data.generator is None else "generated by this project",
                licences=() if data.generator is None else content.project,
                properties=tuple(sorted(properties)), urls=content.downloads.get(stage.name, ()),
                needs=_needs(content, stage), known="unknown" if data.generator is None else content.known)


def _sources(content: Content) -> Iterator[Part]:
    """Every file of the checkout that any stage read, and those that say what the stages are."""
    digests = {origin.path: stage.inputs[path].partition("+")[0] for stage in content.stages
               for path, origin in stage.origins.items() if not origin.stage}
    for path, digest in {**content.sources, **digests}.items():
        yield Part(f"file:{path}", "file", path, digest, licences=content.project)


def _roots(content: Content) -> Iterator[Part]:
    """The toolchain, and each package in it once, whichever roots hold it."""
    found: dict[str, Part] = {}
    for name, lock in sorted(content.locks.items()):
        inside = list(_packages(lock, content.licences.get(name, {})))
        found.update({part.ref: part for part in inside})
        yield Part(f"root:{name}", "platform", f"toolchain root {name}", version=lock.tree,
                   description=f"Debian {lock.suite}, unpacked; the version is the sha256 of the tree",
                   needs=tuple(sorted(part.ref for part in inside)), scope="excluded", known="complete")
    yield from found.values()


def _packages(lock: Lock, licences: Mapping[str, tuple[Licence, ...]]) -> Iterator[Part]:
    for package in lock.packages:
        yield _package(_purl(lock, package), package.sha256, licences, "Debian")
    for wheel in lock.wheels:
        yield _package(Purl("pypi", wheel.name, wheel.version), wheel.sha256, licences)


def _purl(lock: Lock, package: Package) -> Purl:
    arch = package.file.removesuffix(".deb").rpartition("_")[2]
    return Purl("deb", package.name, package.version, "debian", arch, _RELEASES.get(lock.suite))


def _package(purl: Purl, digest: str, licences: Mapping[str, tuple[Licence, ...]], supplier: str = "") -> Part:
    """Of what packages need themselves nothing is said here: the roots hold all of it."""
    return Part(str(purl), "library", purl.name, digest, purl.version, licences=licences.get(purl.name, ()), purl=purl,
                scope="required" if purl.type == "deb" and purl.name in _LINKED else "excluded", known="incomplete",
                supplier=supplier)


def _linked(content: Content, stage: StageRecord) -> Iterator[str]:
    """The packages whose own code the linker puts into the program."""
    lock = content.locks.get(stage.toolchain.partition(":")[0])
    if lock is not None:
        yield from (str(_purl(lock, package)) for package in lock.packages if package.name in _LINKED)


def _needs(content: Content, stage: StageRecord) -> tuple[str, ...]:
    """What the stage was made from, through all stages up to other components."""
    named = {one.name: one for one in content.stages}
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [stage]
    while waiting:
        one = waiting.pop()
        if one.name in seen:
            continue
        seen.add(one.name)
        root = one.toolchain.partition(":")[0]
        if root in content.locks:
            found.add(f"root:{root}")
        for origin in one.origins.values():
            ref = _ref(origin)
            if ref is not None:
                found.add(ref)
            else:
                waiting.append(named[origin.stage])
    return tuple(sorted(found))


def _ref(origin: Origin) -> str | None:
    """The component that an input is, if it is one."""
    return _REFS.get(origin.path) if origin.stage else f"file:{origin.path}"
