"""The engine as a library, and a program that loads models."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from tests import cbuild


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """engine/ and kernels/ for ctypes."""
    return ctypes.CDLL(str(cbuild.build(tmp_path_factory, "engine.so", ("engine", "kernels"), ("-fvisibility=default",),
                                        link=("-shared",))))


@pytest.fixture(scope="session")
def load_cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """load_cases.c, under the address and undefined-behaviour sanitizers."""
    return cbuild.build(tmp_path_factory, "load_cases", ("engine",), cbuild.SANITIZE,
                        more=(cbuild.SOURCES / "kernels" / "scalar.c", Path(__file__).with_name("load_cases.c")))
