"""One reproduction: the first build, the rebuild, the comparison, and what is told of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from toolchain.digest import sha256
from toolchain.errors import UserError
from toolchain.files import remove_tree, write_json
from toolchain.plugin import Session
from toolchain.reproduce import compare, executors, explain, released, show
from toolchain.reproduce.compare import SAME, Row
from toolchain.reproduce.first import First, of_folder
from toolchain.reproduce.rebuild import Rebuilt, blob_of, keep, rebuild
from toolchain.reproduce.released import Released
from toolchain.reproduce.surroundings import Variation
from toolchain.ui import time_text


class Reproduction:
    """One run. `kept` is where what differs is left."""

    def __init__(self, current: Session, image: str, folder: Path | None) -> None:
        self.current = current
        self.image = image
        self.release = _release(folder, image) if folder is not None else None
        self.first = released.first(self.release) if self.release else of_folder(image)
        self.kept = Path("build") / image / "reproduce"

    def go(self) -> bool:
        """Whether everything is identical. What is shown goes to stdout."""
        remove_tree(self.kept)
        self._say_commit()
        executor, reasons = self._executor()
        roots = self._roots(executor)
        with ExitStack() as stack:
            work = stack.enter_context(self.current.graph.store.workspace())
            begun = time.monotonic()
            rebuilt = rebuild(self.current, self.image, executor, work, ["image"] if self.release else [])
            spent = time.monotonic() - begun
            rows = compare.rows(self.first, rebuilt.made, [stage.name for stage in self.current.graph.order()])
            image = None
            if self.release is not None:
                image = self._unpacked(stack, self.release, rebuilt, work)
                rows += [released.efi_row(self.release, self._output(rebuilt, self.release.efi.name)),
                         released.image_row(self.release, image, self._output(rebuilt, f"{self.image}.img"))]
            show.table(rows, self.first.name)
            show.variations([*_executors(self.first, executor, reasons), *rebuilt.variations])
            for line in [*roots, *_summary(self.first, rows, rebuilt, spent)]:
                print(line)
            if compare.verdict_on(rows):
                return True
            for line in self._explained(rows, rebuilt, image):
                print(line)
            return False

    def _say_commit(self) -> None:
        """Other sources give another image: that is said before anything is built."""
        from toolchain.release import git

        made_of = self.release.provenance.commit if self.release is not None else ""
        here = git.look(self.current.root).commit if made_of else ""
        if here != made_of:
            self.current.ui.warn(f"the release was made of commit {made_of[:12]}, these sources are of "
                                 f"{here[:12] or 'no commit that git knows'}")

    def _executor(self) -> tuple[str, list[str]]:
        """That of the command line, else another than the first build's."""
        from toolchain import variables

        wanted = variables.from_command_line().get("toolchain", "auto")
        if wanted != "auto":
            return wanted, ["toolchain= asked for it"]
        used = {name for name in self.first.executors.values() if name in executors.ORDER}
        return executors.pick(used, self.first.pinned, executors.trouble)

    def _roots(self, executor: str) -> list[str]:
        """Every file of the unpacked roots is read before they are shared with the rebuild."""
        if executor == "host":
            return []
        names = sorted({stage.root for stage in self.current.graph.stages.values() if stage.download is None})
        lines = []
        for name in names:
            self.current.ui.say(f"checking the toolchain root {name}")
            tree = self.current.roots.check(name).tree
            lines.append(f"taken     toolchain root {name}: every file was read, its tree is {tree}")
        return lines

    # -- the outputs of both builds --

    def _output(self, rebuilt: Rebuilt, name: str) -> Path | None:
        """The rebuild's file of this name."""
        digest = next((outputs[name] for outputs in rebuilt.made.outputs.values() if name in outputs), None)
        return blob_of(rebuilt.store, digest)

    def _unpacked(self, stack: ExitStack, release: Released, rebuilt: Rebuilt, work: Path) -> Path | None:
        from toolchain import extras

        extras.ensure("zstandard", self.current.ui, extras.RELEASE)
        image = self._output(rebuilt, f"{self.image}.img")
        longest = image.stat().st_size if image is not None else 0
        return stack.enter_context(released.unpacked(release, work, longest))

    def _before(self, stage: str, output: str, image: Path | None) -> Path | None:
        """The first build's file, where its bytes are at hand: in the release, in build/, in the store."""
        digest = self.first.expected(stage, output)
        made = self.current.graph.stages.get(stage)
        places = [made.folder / output] if made is not None else []
        if self.release is not None:
            places += [self.release.efi] if output == self.release.efi.name else []
            places += [image] if image is not None and output == f"{self.image}.img" else []
        for place in places:
            if digest is not None and place.is_file() and sha256(place) == digest:
                return place
        return blob_of(self.current.graph.store, digest)

    # -- what differs --

    def _explained(self, rows: list[Row], rebuilt: Rebuilt, image: Path | None) -> Iterator[str]:
        """The first stage that differs, in the order of the build; all files that differ are kept."""
        row = next(row for row in rows if row.verdict != SAME)
        yield ""
        yield f"the first difference: {row.stage}: {row.verdict}" + (f": {', '.join(row.wrong)}" if row.wrong else "")
        if row.stage in rebuilt.made.outputs:
            yield from self._of_stage(row, rebuilt, image)
        elif self.release is not None and row.now:
            yield from self._of_release(row, rebuilt, image)
        count = self._keep(rows, rebuilt)
        if count:
            yield f"kept: {self.kept}: {count} of the rebuild's files that differ, and its manifest.json"

    def _of_stage(self, row: Row, rebuilt: Rebuilt, image: Path | None) -> Iterator[str]:
        if self.first.built.get(row.stage, {}) == rebuilt.made.outputs[row.stage]:
            yield f"build/{self.image} has the same as the rebuild: the sources are others than those which " \
                  f"{self.first.name} was made from"
        else:
            yield from explain.of_key(self.first.name, self.first.fields.get(row.stage),
                                      rebuilt.made.fields.get(row.stage))
        if row.unknown:
            yield f"{self.first.name} does not hold {', '.join(row.unknown)}"
        for output in row.wrong:
            yield f"{output}:"
            new = keep(rebuilt.store, rebuilt.made.outputs[row.stage].get(output), self._place(row.stage, output))
            report = self.kept / f"{_plain(row.stage)}.{output.replace('/', '_')}.diffoscope.txt"
            for line in explain.of_bytes(self._before(row.stage, output, image), new, report):
                yield f"  {line}"

    def _of_release(self, row: Row, rebuilt: Rebuilt, image: Path | None) -> Iterator[str]:
        """What the release holds is not what its own provenance speaks of."""
        assert self.release is not None
        program = row.outputs[0] == self.release.efi.name
        old = self.release.efi if program else image
        new = self._output(rebuilt, self.release.efi.name if program else f"{self.image}.img")
        yield "the stages are the same, so it was altered after it was built"
        for line in explain.of_bytes(old if old and old.is_file() else None, new,
                                     self.kept / f"release.{row.outputs[0]}.diffoscope.txt"):
            yield f"  {line}"

    def _keep(self, rows: list[Row], rebuilt: Rebuilt) -> int:
        """Files of the rebuild that differ, and its manifest."""
        wrong = [(row.stage, output) for row in rows for output in (*row.wrong, *row.unknown)]
        kept = [keep(rebuilt.store, rebuilt.made.outputs.get(stage, {}).get(output), self._place(stage, output))
                for stage, output in wrong]
        write_json(self.kept / "manifest.json", rebuilt.manifest)
        return sum(path is not None for path in kept)

    def _place(self, stage: str, output: str) -> Path:
        return self.kept / _plain(stage) / output


def _release(folder: Path, image: str) -> Released:
    found = released.read(folder)
    if found.provenance.image != image:
        raise UserError(f"{folder} is a release of {found.provenance.image}, not of {image}",
                        f"add image={found.provenance.image}")
    return found


def _executors(first: First, executor: str, reasons: list[str]) -> list[Variation]:
    used = ", ".join(sorted({name for name in first.executors.values() if name != "download"}))
    return [Variation("executor", used or "not known", executor, "; ".join(reasons))]


def _summary(first: First, rows: list[Row], rebuilt: Rebuilt, spent: float) -> Iterator[str]:
    taken = sorted(rebuilt.made.taken)
    names = f": {', '.join(taken)}, pinned by sha256" if taken else ""
    ran = len(rebuilt.made.outputs) - len(taken)
    yield f"rebuilt {ran} stages, taken {len(taken)}{names}; an empty store, {rebuilt.sources} files of sources, " \
          f"{time_text(spent)}"
    same = sum(row.verdict == SAME for row in rows)
    yield f"{'all ' if same == len(rows) else ''}{same} of {len(rows)} identical with {first.name}"
    unlocked = [row.stage for row in rows if row.unknown]
    if unlocked:
        yield f"{first.name} does not know {', '.join(unlocked[:3])}{' and more' if len(unlocked) > 3 else ''}"


def _plain(stage: str) -> str:
    """A stage's name as a file's."""
    return stage.replace("/", "_").replace(":", "_")
