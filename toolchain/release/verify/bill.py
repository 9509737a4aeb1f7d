"""sbom.cdx.json against the image and the provenance: all that went in is listed, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import unquote

from toolchain.release import EFI, PROVENANCE, SBOM, image_of
from toolchain.release.provenance import File, Provenance
from toolchain.release.verify import chain
from toolchain.release.verify.components import Bill, Component, read
from toolchain.release.verify.image import Contents
from toolchain.release.verify.lie import Lie, Line, Say, short

Locks = Callable[[str], frozenset[tuple[str, str, str]] | None]
"""`ROOT:sha256 of its lock` -> name, version and sha256 of each package, where that lock is known."""

# an output -> the component that it is
_MADE = {EFI: "efi", "model.gguf": "model", "model.bin": "model", "tokenizer.bin": "tokenizer",
         "corpus.txt": "dataset", "corpus.json": "dataset", "corpus.tar.gz": "dataset"}


def check(data: bytes, said: Provenance, contents: Contents, locks: Locks, say: Say) -> None:
    """Raises Lie."""
    bill = read(data)
    image = said.subjects[image_of(said.image, said.version)]
    if (bill.image.sha256, bill.image.size, bill.image.name, bill.image.version) != (
            image, str(contents.size), said.image, said.version):
        raise Lie(SBOM, f"it is not about the image that {PROVENANCE} speaks of")
    files(bill, contents)
    sources = chain.source_files(said)
    _same("source file", {ref: one.sha256 for ref, one in bill.components.items() if ref.startswith("file:")},
          {f"file:{path}": digest for path, digest in sources.items()})
    _same("toolchain root", {ref: one.version for ref, one in bill.components.items() if ref.startswith("root:")},
          {f"root:{root.name}": root.tree for root in said.roots})
    packages = _packages(bill, said, locks, say)
    _products(bill, said, contents)
    _names(bill, said)
    say(Line(SBOM, f"{len(bill.components)} components: the image's files, {len(sources)} sources, {packages} packages "
             "of the toolchain, and nothing else"))


def files(bill: Bill, contents: Contents) -> None:
    """Each file of the image is a component, by sha256 and size."""
    known = {(one.sha256, one.size) for one in bill.components.values()}
    for file in contents.files:
        if (file.sha256, str(file.size)) not in known:
            raise Lie(SBOM, f"it does not list {file.path} of the image, {file.size} bytes, {short(file.sha256)}")


def _same(what: str, listed: Mapping[str, str], made: Mapping[str, str]) -> None:
    """Neither more nor less nor other than the provenance has."""
    for ref in sorted(made.keys() - listed.keys()):
        raise Lie(SBOM, f"it does not list the {what} {ref.partition(':')[2]}")
    for ref in sorted(listed.keys() - made.keys()):
        raise Lie(SBOM, f"it lists the {what} {ref.partition(':')[2]}, which {PROVENANCE} does not know")
    for ref in sorted(ref for ref in made if made[ref] != listed[ref]):
        raise Lie(SBOM, f"{what} {ref.partition(':')[2]}: it says {short(listed[ref])}, {PROVENANCE} "
                  f"{short(made[ref])}")


def _packages(bill: Bill, said: Provenance, locks: Locks, say: Say) -> int:
    """Each package is in a root, and each root has those of its lock, where this checkout has that lock."""
    packages = {ref for ref in bill.components if ref.startswith("pkg:")}
    inside: set[str] = set()
    for root in said.roots:
        held = {ref for ref in bill.needs.get(f"root:{root.name}", ()) if ref in packages}
        inside |= held
        locked = locks(f"{root.name}:{root.lock}")
        if locked is None:
            say(Line(SBOM, f"toolchain root {root.name}: this checkout has another lock, so its packages could not be "
                     "compared", False))
        elif sorted(locked) != sorted((one.name, one.version, one.sha256) for one in map(bill.components.get, held)
                                      if one is not None):
            raise Lie(SBOM, f"toolchain root {root.name}: its packages are not those of toolchain/{root.name}.lock")
    for ref in sorted(packages - inside):
        raise Lie(SBOM, f"it lists {ref}, which is in no toolchain root")
    return len(packages)


def _products(bill: Bill, said: Provenance, contents: Contents) -> None:
    """Whatever else is listed is what a stage made or downloaded, and all of that is listed."""
    made = {name: file for stage in said.stages for name, file in stage.outputs.items()}
    made[EFI] = File(said.subjects[EFI], len(contents.program))
    wanted = {ref: made[name] for name, ref in _MADE.items() if name in made}
    others = {ref: one for ref, one in bill.components.items() if not ref.startswith(("file:", "root:", "pkg:"))}
    for ref, one in others.items():
        if ref not in wanted or (one.sha256, one.size) != (wanted[ref].sha256, str(wanted[ref].size)):
            raise Lie(SBOM, f"it lists {one.name} {short(one.sha256)}, which no stage has made")
    for ref in sorted(wanted.keys() - others.keys()):
        raise Lie(SBOM, f"it does not list {next(name for name in made if _MADE.get(name) == ref)}")
    for digest in sorted({one.sha256 for one in said.downloads} - {one.sha256 for one in others.values()}):
        raise Lie(SBOM, f"it does not list the download {short(digest)}")


def _names(bill: Bill, said: Provenance) -> None:
    """What is shown of a component is what it is; those of packages are in their package URLs."""
    urls = {(one.sha256, unquote(url)) for one in said.downloads for url in one.urls}
    for ref, one in bill.components.items():
        if not _is_named(ref, one, said.version):
            raise Lie(SBOM, f"it calls {ref} {one.name} {one.version}")
        for url in one.urls:
            if (one.sha256, unquote(url)) not in urls:
                raise Lie(SBOM, f"it says that {one.name} is from {url}, {PROVENANCE} does not")


def _is_named(ref: str, one: Component, version: str) -> bool:
    kind, _, rest = ref.partition(":")
    if kind == "file":
        return (one.name, one.version) == (rest, "")
    if kind == "root":
        return one.name == f"toolchain root {rest}"
    if kind == "efi":
        return (one.name, one.version) == (EFI, version)
    return kind == "pkg" or (one.version == "" and kind in ("model", "tokenizer", "dataset"))
