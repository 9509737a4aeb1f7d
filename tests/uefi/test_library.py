"""The program's models on a firmware whose every call fails in turn, and models that are no models: memory and files
come back each time, and the next opening goes as if nothing had been."""

from __future__ import annotations

import subprocess
from pathlib import Path

from model.pins import references
from tests import cbuild
from tests.engine import models

CASES = Path(__file__).with_name("library_cases.c")
PARTS = ("library", "model_file", "load", "file", "split", "memory", "measure", "reference")


def test_every_failure_gives_all_back(tmp_path: Path) -> None:
    shape = models.Shape(context=16)
    whole = models.model_bytes(shape, models.random_tensors(shape))
    (tmp_path / "model.gguf").write_bytes(whole)
    (tmp_path / "model-2.gguf").write_bytes(whole[:3000])
    (tmp_path / "model-3.bin").write_bytes(b"24ka" + bytes(4000))
    (tmp_path / "tokenizer-3.bin").write_bytes(bytes(100))
    names = ["model.gguf"], ["model-2.gguf"], ["model-3.bin", "tokenizer-3.bin"]
    listed = [(name, [tmp_path / file for file in files])
              for name, files in zip(("one", "cut", "none"), names, strict=True)]
    (tmp_path / "blob").mkdir()
    (tmp_path / "blob" / "model.gguf").write_bytes(references(listed))
    sources = [cbuild.SOURCES / "uefi" / f"{part}.c" for part in PARTS]
    objects = cbuild.build_objects(tmp_path / "objects", ("engine", "kernels"), ["-O1"], sources)
    cbuild.run(["gcc", *cbuild.EFI, f"-I{cbuild.SOURCES}", "-fno-builtin", "-D_GNU_SOURCE", "-c", str(CASES), "-o",
                str(tmp_path / "cases.o")])
    cbuild.run(["gcc", "-c", f"-Wa,-I{tmp_path / 'blob'}", str(cbuild.SOURCES / "uefi" / "model_blob.S"), "-o",
                str(tmp_path / "blob.o")])
    cbuild.run(["gcc", *map(str, objects), str(tmp_path / "cases.o"), str(tmp_path / "blob.o"), "-o",
                str(tmp_path / "cases")])
    done = subprocess.run([tmp_path / "cases"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "one opens 1\ncut fails 1\nnone fails 1\n"), done
