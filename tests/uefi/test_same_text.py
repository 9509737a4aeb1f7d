"""Sampled text, which any bit of a logit may change: booted as on the host, quantised and grouped, on all cores, and
long after the window has begun to slide. (That logits themselves are the same for every kernel, number of threads and
batch: tests/host/test_llama.py.)"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from model.pins import references
from tests import cbuild
from tests.engine import llamas
from tests.uefi.conftest import efi_objects, link, make_image
from tests.uefi.machine import PROMPT, Machine

pytestmark = [pytest.mark.slow, pytest.mark.qemu]

SHAPE = llamas.Shape(context=96, layers=3, heads=6, kv_heads=2, width=192, hidden=320)
TYPES = {"attn_q": "Q8_0", "attn_k": "F16", "attn_v": "Q4_0", "attn_output": "Q8_0", "ffn_gate": "F16",
         "ffn_up": "Q4_0", "ffn_down": "Q8_0", "output": "Q8_0", "token_embd": "Q4_0"}
TOKENS = 200


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("same") / "model.gguf"
    path.write_bytes(llamas.model_bytes(SHAPE, llamas.random_tensors(SHAPE, scale=0.05), TYPES))
    return path


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    folder = tmp_path_factory.mktemp("image")
    program = link(folder, efi_objects(folder, references([("random", [model])])))
    make_image(folder / "disk.img", program, ("model.gguf", model))
    return folder / "disk.img"


@pytest.mark.parametrize("cpu, smp", [("max", 2), ("qemu64", 1)])
def test_sampled(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, model: Path, image: Path, cpu: str,
                 smp: int) -> None:
    program = cbuild.host_program(tmp_path_factory)
    machine = Machine(tmp_path, image, cpu=cpu, smp=smp)
    texts = set()
    try:
        machine.until(PROMPT)
        for setting in ("/temp 1", "/top_p 1", f"/max_tokens {TOKENS}"):
            machine.ask(setting.encode())
        for seed in range(1, 7):
            machine.ask(f"/seed {seed}".encode())
            flags = ["-t", "1", "-p", "1", "-s", str(seed), "--tokens", str(TOKENS), "-i", "Once upon a time"]
            wanted = subprocess.run([program, model, *flags], capture_output=True, check=True).stdout
            told = machine.ask(b"Once upon a time").split(b"\r\n", 1)[1]
            assert told.startswith(wanted.replace(b"\n", b"\r\n") + b"\r\n[stats]"), seed
            texts.add(wanted)
            machine.ask(b"/reset")
    finally:
        machine.close()
    assert len(texts) == 6
