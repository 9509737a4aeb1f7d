"""The engine as a library, and a program that loads models."""

from __future__ import annotations

import ctypes
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests import cbuild
from tests.engine import tokenizers


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """engine/ and kernels/ for ctypes."""
    return ctypes.CDLL(str(cbuild.build(tmp_path_factory, "engine.so", ("engine", "kernels"), ("-fvisibility=default",),
                                        link=("-shared",))))


@pytest.fixture(scope="session")
def load_cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """load_cases.c, under the address and undefined-behaviour sanitizers."""
    return cbuild.build(tmp_path_factory, "load_cases", (), cbuild.SANITIZE,
                        more=(*cbuild.scalar_engine(), Path(__file__).with_name("load_cases.c")))


Load = Callable[[Sequence[bytes | tuple[bytes, bytes]]], list[tuple[int, str]]]


@pytest.fixture(scope="session")
def load(load_cases: Path) -> Load:
    """The status and text of each file, or pair of a file and its tokenizer; what loads is run for a few tokens."""

    def run(files: Sequence[bytes | tuple[bytes, bytes]]) -> list[tuple[int, str]]:
        pairs = [file if isinstance(file, tuple) else (file, b"") for file in files]
        data = b"".join(struct.pack("<QQ", len(file), len(tokenizer)) + file + tokenizer for file, tokenizer in pairs)
        done = subprocess.run([load_cases], input=data, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr.decode()
        lines = done.stdout.decode("ascii").splitlines()
        assert len(lines) == len(files)
        return [(int(line.split(" ")[0]), line.partition(" ")[2]) for line in lines]

    return run


@pytest.fixture(scope="session")
def hostile_cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """hostile_cases.c, under the sanitizers, with the files it needs alone."""
    names = ("cfg", "penalties", "ringlog", "sampler", "settings", "text", "utf8")
    more = (*(cbuild.SOURCES / "engine" / f"{name}.c" for name in names), Path(__file__).with_name("hostile_cases.c"))
    return cbuild.build(tmp_path_factory, "hostile_cases", (), cbuild.SANITIZE, more=more)


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The tokenizers alone, through tokenizer_shim.c, for ctypes."""
    return ctypes.CDLL(str(cbuild.build(tmp_path_factory, "tokenizers.so", (), ("-fpic",), more=tokenizers.SOURCES,
                                        link=("-shared",))))


@pytest.fixture(scope="session")
def tokenizer_cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tokenizer_shim.c's program, under the address and undefined-behaviour sanitizers."""
    return cbuild.build(tmp_path_factory, "tokenizer_cases", (), (*cbuild.SANITIZE, "-DPROGRAM"),
                        more=tokenizers.SOURCES)
