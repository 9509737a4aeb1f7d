"""The kernels as a shared library, for ctypes."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from tests.cbuild import build

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """kernels/ and maps.c with every symbol visible."""
    path = build(tmp_path_factory, "kernels.so", ("kernels",), ["-fpic", "-fvisibility=default"],
                 [HERE / "maps.c"], ["-shared"])
    return ctypes.CDLL(str(path))


@pytest.fixture(scope="session")
def fuzz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """fuzz.c, with the kernels as they ship."""
    return build(tmp_path_factory, "fuzz", ("kernels",), (), [HERE / "fuzz.c"])
