"""C objects and programs as stages. One object is one stage, so an edit recompiles one file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from toolchain.plugin import session, stage
from toolchain.stage import Ref, Stage

COMMON = ("-std=c11", "-O2", "-ffp-contract=off", "-fno-math-errno", "-Wall", "-Wextra", "-Werror", "-Wvla")
# The engine serves EFI and Linux with the same objects: position independent, no libc, no red zone.
ENGINE = (*COMMON, "-ffreestanding", "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fpic",
          "-fvisibility=hidden", "-fshort-wchar", "-mno-red-zone", "-fno-strict-aliasing")
EFI = (*ENGINE, "-I/usr/include/efi", "-I/usr/include/efi/x86_64", "-DGNU_EFI_USE_MS_ABI",
       "-maccumulate-outgoing-args")
LINUX = (*COMMON, "-D_GNU_SOURCE", "-pthread")

# What a Linux program is linked with, besides its objects: all of it, as it also runs outside the root.
RUNTIME = ("/usr/lib/x86_64-linux-gnu/crt1.o", "/usr/lib/x86_64-linux-gnu/libc.a")

AVX512 = ("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mf16c")
# Only these files may use these instructions; which of them run is decided at boot.
KERNEL_FLAGS = {
    "avx2": ("-mavx2", "-mf16c"),
    "avx512": AVX512,
    "avx512vnni": (*AVX512, "-mavx512vnni"),
    "sha_ni": ("-msha", "-mssse3", "-msse4.1"),
}


def sources(*patterns: str) -> list[str]:
    """The project's files that match, sorted."""
    root = session().root
    found = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    return sorted(str(path.relative_to(root)) for path in found)


def same(paths: Iterable[str]) -> dict[str, str | Ref]:
    """Inputs that lie in the work folder where they lie in the project."""
    return {path: path for path in paths}


def objects(
    folder: str, flags: Iterable[str], headers: Iterable[str], *, tools: Iterable[str] = ()
) -> dict[str, Stage]:
    """A stage `compile:FOLDER/NAME` for each C file of efi_src/FOLDER; NAME -> stage."""
    made = {}
    for source in sources(f"efi_src/{folder}/*.c"):
        name = Path(source).stem
        extra = KERNEL_FLAGS.get(name, ()) if folder == "kernels" else ()
        made[name] = stage(
            f"compile:{folder}/{name}", folder="build/obj", outputs=[f"{folder}-{name}.o"],
            inputs=[source, *headers], tools=["gcc", "as", *tools], doc=f"compiles {source}",
            argv=["gcc", *flags, *extra, "-c", source, "-o", f"{folder}-{name}.o"])
    return made


def outputs(stages: Iterable[Stage]) -> dict[str, str | Ref]:
    """Each stage's outputs as inputs for a linker, under their own names."""
    return {path: one[path] for one in stages for path in one.outputs}


def program(name: str, target: str, objects: dict[str, str | Ref], *, doc: str) -> Stage:
    """A Linux program of these objects: build/host/TARGET."""
    return stage(name, folder="build/host", outputs=[target], inputs=objects, tools=["gcc", "ld", *RUNTIME], doc=doc,
                 argv=["gcc", "-static", "-pthread", "-o", target, *sorted(objects)])
