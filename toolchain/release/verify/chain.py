"""What provenance.json says, against itself: every key, and every way from one stage to the next."""

from __future__ import annotations

from toolchain.release import EFI, PROVENANCE, SBOM, image_of, is_name, is_version, packed_of
from toolchain.release.provenance import BadProvenance, File, Provenance, StageRecord, read
from toolchain.release.verify.lie import Lie, Line, Say, short


def check(data: bytes, name: tuple[str, str], say: Say) -> Provenance:
    """Raises Lie. `name`: image and version, as the files have them."""
    try:
        said = read(data)
    except BadProvenance as exc:
        raise Lie(PROVENANCE, str(exc)) from None
    # a name and a version may hold -, so only both together can be read off a file's name
    own = (said.image, said.version)
    if not (is_name(said.image) and is_version(said.version)) or packed_of(*own) != packed_of(*name):
        raise Lie(PROVENANCE, f"it speaks of {said.image} {said.version}, the files of {name[0]} {name[1]}")
    files = {image_of(*name), packed_of(*name), EFI, SBOM}
    if said.subjects.keys() != files:
        raise Lie(PROVENANCE, f"its subjects are not {', '.join(sorted(files))}")
    _stages(said)
    _roots(said)
    _recipe(said)
    _downloads(said)
    _products(said)
    say(Line(PROVENANCE, f"{len(said.stages)} stages: each key is that of what went in, and what went in is what "
             "came out before"))
    loose = [stage.name for stage in said.stages if not stage.pinned]
    if loose:
        say(Line(PROVENANCE, f"{len(loose)} stages were made with tools that nothing pins: {', '.join(loose[:5])}",
                 False))
    for fetched, words in ((True, "were taken from a remote cache, not built by this builder"),
                           (None, "were made, or fetched, nobody knows where")):
        others = [stage.name for stage in said.stages if stage.fetched is fetched]
        if others:
            say(Line(PROVENANCE, f"{len(others)} stages {words}: {', '.join(others[:5])}", False))
    if said.changed:
        say(Line(PROVENANCE, "its sources were not those of the commit that it names", False))
    for reason in said.forced:
        say(Line(PROVENANCE, f"it was released with force=1, though: {reason}", False))
    return said


def source_files(said: Provenance) -> dict[str, str]:
    """Every source file that a stage read, or that says what the stages are -> its sha256."""
    found = dict(said.sources)
    for stage in said.stages:
        for path, origin in stage.origins.items():
            if not origin.stage:
                digest = bare(stage.inputs[path])
                if found.setdefault(origin.path, digest) != digest:
                    raise Lie(PROVENANCE, f"stage {stage.name}: {origin.path} is another file than before")
    return found


def bare(digest: str) -> str:
    """An input's sha256 without the mark of a program."""
    return str(digest).removesuffix("+x")


def product(said: Provenance, name: str) -> File:
    """The one output of this name."""
    found = [stage.outputs[name] for stage in said.stages if name in stage.outputs]
    if len(found) != 1:
        raise Lie(PROVENANCE, f"{len(found)} of its stages make {name}, not one")
    return found[0]


def _stages(said: Provenance) -> None:
    made: dict[str, StageRecord] = {}
    for stage in said.stages:
        if stage.name in made:
            raise Lie(PROVENANCE, f"it has two stages {stage.name}")
        try:
            holds = stage.holds
        except (ValueError, TypeError, RecursionError):
            holds = False
        if not holds:
            raise Lie(PROVENANCE, f"stage {stage.name}: its key {short(stage.key)} is not that of its inputs, "
                      "parameters and tools")
        if stage.inputs.keys() != stage.origins.keys():
            raise Lie(PROVENANCE, f"stage {stage.name}: it does not say where each input comes from")
        for path, origin in stage.origins.items():
            if origin.stage:
                _input(stage, path, made.get(origin.stage), origin.path)
        made[stage.name] = stage
    source_files(said)


def _input(stage: StageRecord, path: str, above: StageRecord | None, output: str) -> None:
    """An input that an earlier stage made has that stage's digest."""
    if above is None or output not in above.outputs:
        raise Lie(PROVENANCE, f"stage {stage.name}: no stage before it makes its input {path}")
    given, made = bare(stage.inputs[path]), above.outputs[output].sha256
    if given != made:
        raise Lie(PROVENANCE, f"stage {stage.name}: its input {path} is {short(given)}, {above.name} made "
                  f"{short(made)}")


def _roots(said: Provenance) -> None:
    known = {f"{root.name}:{root.lock}" for root in said.roots}
    for stage in said.stages:
        if stage.toolchain and not stage.toolchain.startswith("host:") and stage.toolchain not in known:
            raise Lie(PROVENANCE, f"stage {stage.name}: its toolchain {stage.toolchain} is not among those named")


def _recipe(said: Provenance) -> None:
    path = f"images/{said.image}.yaml"
    if said.sources.get(path) != said.recipe_sha256:
        raise Lie(PROVENANCE, f"{path} is another file than the recipe that it shows")


def _downloads(said: Provenance) -> None:
    wanted = {one.sha256 for one in said.downloads}
    fetched = set()
    for stage in said.stages:
        if "download" in stage.fields:
            digests = {file.sha256 for file in stage.outputs.values()}
            if digests != {stage.fields["download"]}:
                raise Lie(PROVENANCE, f"stage {stage.name}: it is not the download that was pinned")
            fetched |= digests
    if fetched != wanted:
        raise Lie(PROVENANCE, "its downloads are not those of its stages")


def _products(said: Provenance) -> None:
    """Image and program are what the stages made, or say what they were before they were signed."""
    image = image_of(said.image, said.version)
    made = {EFI: product(said, EFI).sha256, f"{said.image}.img": product(said, f"{said.image}.img").sha256}
    if said.certificate:
        if said.unsigned != made:
            raise Lie(PROVENANCE, "what was signed is not what its stages made")
    elif said.unsigned or (said.subjects[EFI], said.subjects[image]) != tuple(made.values()):
        raise Lie(PROVENANCE, "its subjects are not what its stages made")
