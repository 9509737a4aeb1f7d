"""The fuzz targets of efi_src/fuzz/: how they are built in the root dev, and how one is run."""

from __future__ import annotations

import io
import os
import re
import shutil
import tarfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from toolchain.cc import KERNEL_FLAGS, outputs, sources
from toolchain.errors import UserError
from toolchain.executors import Executor, Job
from toolchain.files import atomic
from toolchain.plugin import Session, stage
from toolchain.stage import Ref, Stage
from toolchain.store import Store

FOLDER = Path("build/fuzz")  # per target: the program, the corpus that grows, findings
KEPT = Path("tests/fuzz/corpus")  # TARGET.tar.xz: what a change must not lose
SHARED = ("disk", "fuzz", "run_model", "tiny", "use_tokenizer")  # files of efi_src/fuzz/ that are no target
CORE = ("efi_src/engine/*.c", "efi_src/kernels/*.c", "efi_src/uefi/reference.c")
FLAGS = ("-std=c11", "-O1", "-g", "-fno-omit-frame-pointer", "-ffp-contract=off", "-fno-strict-aliasing",
         "-D_GNU_SOURCE", "-DDRAW_WIDTH=32", "-DDRAW_HEIGHT=24", "-fsanitize=address,undefined",
         "-fno-sanitize-recover=all")
FOLLOWED = ("-fsanitize=fuzzer-no-link",)  # not the kernels: nothing in them depends on an input but through numbers
LINK = ("-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")
TOOLS = ("clang", "as", "ld")
# The root has binutils' symbolizer, not LLVM's.
_SYMBOLS = "external_symbolizer_path=/usr/bin/addr2line"
OPTIONS = (f"ASAN_OPTIONS={_SYMBOLS}:quarantine_size_mb=16", f"UBSAN_OPTIONS={_SYMBOLS}:print_stacktrace=1")
LENGTHS = {"chat": 256}  # bytes of the longest input that is tried, where libFuzzer's choice is slow
_FINDING = re.compile(r"^(crash|leak|timeout|oom|slow-unit)-[0-9a-f]+$")
_STATUS = re.compile(r"^#(\d+)\s.*\bcov: (\d+) ft: (\d+) corp: (\d+)/\S+ .*exec/s: (\d+)")
_FINAL = re.compile(r"^stat::number_of_executed_units:\s*(\d+)")

T = TypeVar("T")


def names() -> list[str]:
    """Every target."""
    return [name for path in sources("efi_src/fuzz/*.c") if (name := Path(path).stem) not in SHARED]


def declare(targets: list[str]) -> dict[str, Stage]:
    """The stages of these targets' programs. They are no part of the graph of an image."""
    headers = sources("efi_src/engine/*.h", "efi_src/kernels/*.h", "efi_src/uefi/reference.h", "efi_src/fuzz/*.h")
    core = [_object(source, headers) for source in (*sources(*CORE), *(f"efi_src/fuzz/{name}.c" for name in SHARED))]
    return {name: _program(name, {**outputs(core), **outputs([_object(f"efi_src/fuzz/{name}.c", headers)])})
            for name in targets}


def _object(source: str, headers: list[str]) -> Stage:
    path = Path(source)
    output = f"{path.parent.name}-{path.stem}.o"
    kernel = path.parent.name == "kernels"
    flags = (*FLAGS, *(KERNEL_FLAGS.get(path.stem, ()) if kernel else FOLLOWED))
    return stage(f"fuzz:{path.parent.name}/{path.stem}", folder=FOLDER / "obj", outputs=[output], root="dev",
                 inputs=[source, *headers], tools=TOOLS, argv=["clang", *flags, "-c", source, "-o", output])


def _program(name: str, objects: dict[str, str | Ref]) -> Stage:
    return stage(f"fuzz:{name}", folder=FOLDER / name, outputs=[f"fuzz-{name}"], root="dev", inputs=objects,
                 tools=TOOLS, argv=["clang", *LINK, "-o", f"fuzz-{name}", *sorted(objects)])


def build(current: Session, programs: dict[str, Stage]) -> None:
    """Brings the programs up to date, on all cores."""
    graph = current.graph
    needed = graph.order([one.name for one in programs.values()])
    objects = [one for one in needed if one.name not in {program.name for program in programs.values()}]
    for group in (objects, list(programs.values())):
        side_by_side([lambda one=one: graph.bring(one) for one in group])  # type: ignore[misc]


def side_by_side(work: list[Callable[[], T]]) -> list[T]:
    """What each returns, on all cores. The first error, or Ctrl-C, ends the others."""
    from toolchain.executors.children import end_all

    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    futures: list[Future[T]] = [pool.submit(one) for one in work]
    try:
        return [future.result() for future in futures]
    except BaseException as exc:
        pool.shutdown(wait=False, cancel_futures=True)
        if not isinstance(exc, UserError):
            end_all()
        raise
    finally:
        pool.shutdown()


def pack(files: dict[str, bytes], path: Path) -> None:
    """Files that are much alike, in one: a corpus of models is a tenth as large so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as out, tarfile.open(fileobj=out, mode="w:xz", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def unpack(path: Path) -> dict[str, bytes]:
    """What `pack` has written; nothing where there is no such file."""
    files: dict[str, bytes] = {}
    if path.exists():
        with tarfile.open(path) as tar:
            for entry in tar:
                held = tar.extractfile(entry)
                if held is not None:
                    files[Path(entry.name).name] = held.read()
    return files


@dataclass
class Tally:
    """How far a target has come."""

    runs: int = 0
    coverage: int = 0
    features: int = 0
    corpus: int = 0
    speed: int = 0
    status: int = 0
    findings: list[Path] = field(default_factory=list)
    last: deque[str] = field(default_factory=lambda: deque(maxlen=400))

    def read(self, line: str) -> bool:
        """Takes a line of libFuzzer; whether it was one that tells how far it has come."""
        found = _STATUS.match(line)
        if found:
            self.runs, self.coverage, self.features, self.corpus, self.speed = map(int, found.groups())
            return True
        final = _FINAL.match(line)
        if final:
            self.runs = int(final[1])
        elif not line.startswith("stat::"):
            self.last.append(line)
        return False

    def text(self) -> str:
        """For a line of progress."""
        return (f"{self.runs:,} runs, {self.speed:,} a second, coverage {self.coverage:,}, "
                f"features {self.features:,}, corpus {self.corpus:,}")


@dataclass(frozen=True)
class Fuzzer:
    """A target whose program is built."""

    name: str
    executor: Executor
    store: Store

    @property
    def folder(self) -> Path:
        """Where its findings and its growing corpus lie."""
        return FOLDER / self.name / "found"

    def run(self, limits: list[str], told: Callable[[Tally], None]) -> Tally:
        """Runs it until a limit (libFuzzer's options) or a finding."""
        before = set(self._findings())
        tally = Tally()

        def line(text: str) -> None:
            if tally.read(text):
                told(tally)

        with self.store.workspace() as work:
            self._lay_out(work, KEPT / f"{self.name}.tar.xz")
            tally.status = self._start(work, [*limits, "-print_final_stats=1", "scratch/corpus", "kept"], line)
        tally.findings = sorted(set(self._findings()) - before)
        return tally

    def once(self, file: Path, line: Callable[[str], None]) -> int:
        """Runs it over one input; returns the program's status."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.store.workspace() as work:
            self._lay_out(work, None)
            shutil.copyfile(file, work / "input")
            return self._start(work, ["input"], line)

    def keep(self) -> int:
        """Replaces the kept corpus by the smallest that reaches as much as all found; returns its number of files."""
        with self.store.workspace() as work:
            self._lay_out(work, KEPT / f"{self.name}.tar.xz")
            (work / "new").mkdir()
            status = self._start(work, ["-set_cover_merge=1", "-use_counters=0", "new", "kept", "scratch/corpus"],
                                 lambda line: None)
            if status != 0:
                raise UserError(f"fuzz {self.name}: the corpus cannot be merged: status {status}",
                                f"./doit fuzz target={self.name} says what fails")
            files = sorted((work / "new").iterdir())
            pack({file.name[:16]: file.read_bytes() for file in files}, KEPT / f"{self.name}.tar.xz")
        return len(files)

    def _lay_out(self, work: Path, kept: Path | None) -> None:
        program = work / f"fuzz-{self.name}"
        shutil.copyfile(FOLDER / self.name / f"fuzz-{self.name}", program)
        program.chmod(0o755)
        if kept is not None:
            (self.folder / "corpus").mkdir(parents=True, exist_ok=True)
            (work / "kept").mkdir()
            for name, data in unpack(kept).items():
                (work / "kept" / name).write_bytes(data)
        words = KEPT.parent / f"{self.name}.dict"
        if words.exists():
            shutil.copyfile(words, work / "dict")

    def _start(self, work: Path, arguments: list[str], line: Callable[[str], None]) -> int:
        options = ["-artifact_prefix=scratch/", "-timeout=20", "-rss_limit_mb=2048",
                   *([f"-max_len={LENGTHS[self.name]}"] if self.name in LENGTHS else []),
                   *(["-dict=dict"] if (work / "dict").exists() else [])]
        argv = ("env", *OPTIONS, f"./fuzz-{self.name}", *options, *arguments)
        return self.executor.run(Job(f"fuzz:{self.name}", argv, work, "dev", {}, self.folder.resolve()), line)

    def _findings(self) -> Iterator[Path]:
        if self.folder.is_dir():
            yield from (path for path in self.folder.iterdir() if _FINDING.match(path.name))
