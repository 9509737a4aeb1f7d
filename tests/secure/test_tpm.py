"""Measured boot: what the TPM holds when the model was a file, read from the TPM itself."""

from __future__ import annotations

import hashlib
import platform
import sys
from pathlib import Path

import pytest

from tests.executors.conftest import needs
from tests.secure.tpm import Tpm
from tests.uefi.conftest import file_disk, tiny_model  # noqa: F401 (fixtures)
from tests.uefi.machine import PROMPT, Machine
from toolchain.roots import run_on

pytestmark = pytest.mark.qemu


def extended(*data: bytes) -> bytes:
    """A PCR of the bank sha256 after these events, as efi_src/uefi/measure.h says that a verifier replays it."""
    value = bytes(32)
    for one in data:
        value = hashlib.sha256(value + hashlib.sha256(one).digest()).digest()
    return value


def test_the_model_file_is_in_pcr_12(tmp_path: Path, file_disk: Path, tiny_model: bytes) -> None:  # noqa: F811
    needs("swtpm", None if run_on(sys.platform, platform.machine()) else "the toolchain's programs are for Linux")
    with Tpm(tmp_path) as tpm:
        machine = Machine(tmp_path, file_disk, more=tpm.options, fds=tpm.fds)
        try:
            told = machine.until(PROMPT)
            assert b"sha256 checked" in told and b"\r\n[tpm] model digest in PCR 12\r\n" in told
            assert tpm.pcr(12) == extended(hashlib.sha256(tiny_model).digest())
            assert tpm.pcr(13) == bytes(32), "nothing else was touched"
            assert tpm.pcr(4) != bytes(32), "the program itself, by the firmware"
        finally:
            machine.close()
