"""Compiles the C sources for tests, with the project's flags: once for all workers of a test run."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.once import once

SOURCES = Path(__file__).resolve().parent.parent / "efi_src"

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wvla"]
ARITHMETIC = ["-std=c11", "-O2", "-ffp-contract=off", "-fno-math-errno"]
CORE = [*ARITHMETIC, "-ffreestanding", "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fpic",
        "-fvisibility=hidden", "-fshort-wchar", "-mno-red-zone", "-fno-strict-aliasing", *WARNINGS]
VERSION = '-DINGOT_VERSION="test"'
HOST = [*ARITHMETIC, "-D_GNU_SOURCE", "-pthread", VERSION, *WARNINGS]
EFI = [*CORE, "-I/usr/include/efi", "-I/usr/include/efi/x86_64", "-DGNU_EFI_USE_MS_ABI",
       "-maccumulate-outgoing-args", VERSION]
AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mf16c"]
WIDE = {"avx2.c": ["-mavx2", "-mf16c"], "avx512.c": AVX512, "avx512vnni.c": [*AVX512, "-mavx512vnni"],
        "sha_ni.c": ["-msha", "-mssse3", "-msse4.1"]}
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]


def flags_of(source: Path) -> list[str]:
    """What the graph compiles this file with."""
    if source.parent.name in ("engine", "kernels"):
        return [*CORE, *WIDE.get(source.name, [])]
    return EFI if source.parent.name == "uefi" else HOST


def build_objects(folder: Path, parts: Sequence[str], extra: Sequence[str] = (),
                  more: Sequence[Path] = ()) -> list[Path]:
    """Compiles every .c file of these folders of efi_src/, and the files in `more`, into `folder`.

    `extra` flags come last, so they win: `-fvisibility=default` for a library that ctypes reads.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda source: compile_one(folder, source, extra), sources_of(parts, more)))


def sources_of(parts: Sequence[str], more: Sequence[Path]) -> list[Path]:
    """Every .c file of these folders of efi_src/, and the files in `more`."""
    return [*(source for part in parts for source in sorted((SOURCES / part).glob("*.c"))), *more]


def compile_one(folder: Path, source: Path, extra: Sequence[str]) -> Path:
    """Its object, in `folder`."""
    target = folder / f"{source.parent.name}_{source.stem}.o"
    run(["gcc", *flags_of(source), f"-I{SOURCES}", *extra, "-c", str(source), "-o", str(target)])
    return target


def scalar_engine() -> list[Path]:
    """The sources of the engine without the chat, which uses all kernels, and the kernels that it needs at least."""
    engine = sorted(path for path in (SOURCES / "engine").glob("*.c")
                    if not path.name.startswith(("chat", "commands")))
    return [*engine, *(SOURCES / "kernels" / f"{name}.c" for name in ("scalar", "scalar_quant", "quant"))]


def run(command: list[str]) -> None:
    """Fails with what the compiler said."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"


def build(factory: pytest.TempPathFactory, name: str, parts: Sequence[str], extra: Sequence[str] = (),
          more: Sequence[Path] = (), link: Sequence[str] = ()) -> Path:
    """The program (or with `-shared` in `link` the library) `name` of these parts.

    Compiled once for all workers of a run.
    """
    key = hashlib.sha256(repr((name, parts, extra, more, link)).encode()).hexdigest()[:12]

    def shared(source: Path) -> Path:
        """Programs of one kind have most of their objects in common."""
        mark = hashlib.sha256(repr((source, list(extra))).encode()).hexdigest()[:12]
        folder = once(factory, f"o-{mark}", lambda folder: compile_one(folder, source, extra))
        return next(folder.glob("*.o"))

    def make(folder: Path) -> None:
        with ThreadPoolExecutor(2) as pool:
            objects = list(pool.map(shared, sources_of(parts, more)))
        run(["gcc", "-pthread", *extra, *map(str, objects), *link, "-o", str(folder / name)])

    return once(factory, f"c-{key}", make) / name


def host_program(factory: pytest.TempPathFactory) -> Path:
    """build/host/ingot, made for tests."""
    return build(factory, "ingot", ("engine", "kernels", "host"))
