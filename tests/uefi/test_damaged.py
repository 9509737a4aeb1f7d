"""Damaged model files beside the program: /model refuses each in the words that tell its damage, and the chat goes on;
among good models it switches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from model.pins import MODELS
from tests.engine import damaged
from tests.engine.damaged import Damaged
from tests.engine.test_pieces import GGUF, KEYS, STORED, shards
from tests.uefi.conftest import with_models
from tests.uefi.machine import PROMPT, Machine

pytestmark = pytest.mark.qemu

Named = list[tuple[str, Sequence[Path]]]


def saved(folder: Path, files: Sequence[Damaged]) -> Named:
    """Models called bad-00, bad-01, …, of one file, or with a tokenizer."""
    models: Named = []
    for i, one in enumerate(files):
        parts = [folder / f"bad-{i:02d}.{one.suffix}"]
        parts[0].write_bytes(one.model)
        if one.tokenizer is not None:
            parts.append(folder / f"tok-{i:02d}.bin")
            parts[1].write_bytes(one.tokenizer)
        models.append((parts[0].stem, parts))
    return models


def good_ones(folder: Path, tiny_model: bytes) -> Named:
    """One file; another; the same as the other in two parts."""
    (folder / "good.gguf").write_bytes(tiny_model)
    (folder / "whole.gguf").write_bytes(GGUF.data)
    split = shards(folder, KEYS, STORED, 11)
    assert len(split) == 2
    return [("good", [folder / "good.gguf"]), ("whole", [folder / "whole.gguf"]), ("split", split)]


@contextmanager
def started(folder: Path, disk: Path, models: Named) -> Iterator[Machine]:
    """A machine of two cores, at its prompt, with settings that sample."""
    machine = Machine(folder, with_models(folder, disk, models), smp=2)
    try:
        assert b"\n[cores] 2 of 2\r\n" in machine.until(PROMPT)
        for line in (b"/seed 7", b"/temp 0.9", b"/max_tokens 40", b"/stats off"):
            machine.ask(line)
        yield machine
        machine.send(b"/quit\r")
        assert machine.power_off() == 0
    finally:
        machine.close()


def words(machine: Machine) -> bytes:
    """What the model says; with the session as it is, so that what stays of an earlier one shows."""
    return machine.ask(b"Once upon")


def listed(machine: Machine) -> list[str]:
    """`["* good", "  bad-00", …]`"""
    return re.findall(r"\r\n([* ] [\w-]+) +\d+\.\d MiB", machine.ask(b"/model").decode(errors="replace"))


def free_mib(said: bytes) -> int:
    """What was free when the model was read that this text tells of last."""
    return int(re.findall(rb" of (\d+) MiB free", said)[-1])


def refuse_all(machine: Machine, files: Sequence[Damaged], models: Named, before: bytes) -> None:
    """Each in its words; afterwards the good model is there, what it says at first, and as much memory as before."""
    names, free = [name for name, _ in models], 0
    for i, one in enumerate(files):
        said = machine.ask(b"/model bad-%02d" % i)
        errors = re.findall(r"\r\nerror: (.*)\r\n", said.decode(errors="replace"))
        assert len(errors) == 1 and errors[0].startswith(one.words), f"{one.what}: {said!r}"
        assert listed(machine) == [f"{'*' if name == names[0] else ' '} {name}" for name in names], one.what
        free = free or free_mib(said)
        assert free_mib(said) >= free - 1, f"{one.what}: {said!r}"
    assert b" name=tiny " in machine.ask(b"/model good")
    assert words(machine) == before


def test_switching_and_one_of_each_damage(tmp_path: Path, disk: Path, tiny_model: bytes) -> None:
    """To and fro the words are the same each time, those of a split file too, and no damaged one is in the way."""
    files = tmp_path / "models"
    files.mkdir()
    models = [*good_ones(files, tiny_model), *saved(files, damaged.few())]
    with started(tmp_path, disk, models) as machine:
        said: dict[str, set[bytes]] = {"good": {words(machine)}, "whole": set(), "split": set()}
        for _ in range(3):
            for name in ("split", "whole", "good"):
                told = machine.ask(b"/model " + name.encode())
                assert b"error: " not in told and told.count(b"\n[load] ") == (2 if name == "split" else 1)
                assert f"* {name}" in listed(machine)
                said[name].add(words(machine))
        assert all(len(texts) == 1 for texts in said.values()), said
        assert said["split"] == said["whole"] != said["good"]
        refuse_all(machine, damaged.few(), models, *said["good"])


@pytest.mark.slow
def test_every_damage(tmp_path: Path, disk: Path, tiny_model: bytes) -> None:
    """In as many boots as the list of a program needs; each has damages of every kind."""
    files, every = tmp_path / "models", damaged.every()
    files.mkdir()
    (files / "good.gguf").write_bytes(tiny_model)
    boots = -(-len(every) // (MODELS - 1))
    for boot in range(boots):
        some = every[boot::boots]
        models: Named = [("good", [files / "good.gguf"]), *saved(files, some)]
        with started(tmp_path, disk, models) as machine:
            refuse_all(machine, some, models, words(machine))
