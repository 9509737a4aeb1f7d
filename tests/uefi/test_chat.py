"""The EFI program on its serial line, in one boot."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.uefi.machine import ENQ, PROMPT, Machine

pytestmark = pytest.mark.qemu


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, disk: Path) -> Iterator[Machine]:
    """At its prompt, with temp=0 and 60 tokens a reply."""
    machine = Machine(tmp_path_factory.mktemp("machine"), disk)
    try:
        machine.banner = machine.until(PROMPT)
        machine.ask(b"/temp 0")
        machine.ask(b"/max_tokens 60")
        yield machine
    finally:
        machine.close()


def continued(on_host: Callable[..., bytes], prompt: bytes) -> bytes:
    """What a terminal gets when `prompt` is typed: lines end in CR LF."""
    return on_host(prompt, 60).replace(b"\n", b"\r\n")


def test_banner(machine: Machine) -> None:
    lines = machine.banner.decode(errors="replace").split("\r\n")
    start = next(i for i, line in enumerate(lines) if line.startswith("[boot] ingot test "))
    words = dict(line.split(" ", 1) for line in lines[start:] if line.startswith("["))
    assert words["[boot]"] == "ingot test clock=acpi-pm serial=1 screens=1 secure_boot=off"
    kernel = "(scalar|sse2|avx2)"  # one for all, or one for floats and one for int8
    assert re.fullmatch(rf"vendor=\w+ features=sse2,avx,avx2\S* kernel={kernel}(\+{kernel})?", words["[cpu]"])
    assert "name=tiny " in words["[model]"] and " context=64 " in words["[model]"]
    for key in ("Enter", "Backspace", "Esc", "/quit", "off"):
        assert key in words["[keys]"]


def test_prompt_and_reply(machine: Machine, on_host: Callable[..., bytes]) -> None:
    said = machine.ask(b"Once upon")
    assert said.startswith(b"Once upon\r\n" + continued(on_host, b"Once upon") + b"\r\n[stats] tokens=60 time_ms=")
    assert said.endswith(b"prompt_tokens=9\r\n")


@pytest.mark.parametrize("backspace", [b"\x08", b"\x7f"])
def test_backspace(machine: Machine, on_host: Callable[..., bytes], backspace: bytes) -> None:
    said = machine.ask(b"cax" + backspace + "té".encode() + backspace + b"s")
    echo, text = said.split(b"\r\n", 1)
    assert text.startswith(continued(on_host, b"cats") + b"\r\n[stats]")
    assert echo == "cax\b \bté\b \bs".encode()


def test_utf8_passes_both_ways(machine: Machine, on_host: Callable[..., bytes]) -> None:
    prompt = "né ’“ 中文 😀 ".encode()
    echo, text = machine.ask(prompt).split(b"\r\n", 1)
    assert echo == prompt
    assert text.startswith(continued(on_host, prompt) + b"\r\n[stats]")


def test_unknown_command(machine: Machine) -> None:
    said = machine.ask(b"/tmp 1").decode()
    assert re.search(r"\r\nerror: .*/tmp.*/temp", said)


def test_the_sentinel_ends_one_turn(machine: Machine, on_host: Callable[..., bytes]) -> None:
    machine.ask(b"/test_failsafe")
    assert re.match(rb"cats\r\ncats\r\n\[stopped\] prefill took \d+ us a token, budget \d+\r\n\[stats\] tokens=0 ",
                    machine.ask(b"cats"))
    assert machine.ask(b"cats").startswith(b"cats\r\n" + continued(on_host, b"cats") + b"\r\n[stats]")
    assert b"] warning: [stopped] prefill took " in machine.ask(b"/log")


def test_reader_who_pauses(machine: Machine) -> None:
    """Nothing is lost or sent twice; the lines typed ahead are all answered."""
    once = machine.ask(b"/help")
    machine.send(b"/help\r" * 30)
    time.sleep(2.5)
    for _ in range(30):
        assert machine.until(PROMPT) == once + PROMPT


def test_script_mode(boot: Callable[..., Machine], on_host: Callable[..., bytes]) -> None:
    """A line feed in the prompt, a paste of 2,000 bytes, and the clock."""
    machine = boot()
    machine.ask(b"/temp 0")
    machine.send(b"/script\r")
    machine.until(ENQ)
    machine.send(b"/max_tokens 60\r")
    machine.until(ENQ)
    reply = machine.ask_framed(b"one\ntwo")
    assert reply.text == on_host(b"one\ntwo", 60)
    assert (reply.stats["tokens"], reply.stats["prompt_tokens"]) == (60, 7)

    paste = b" ".join(b"%04d" % i for i in range(400))
    assert len(paste) == 1999
    machine.send(paste + b"\r")
    assert b"error: the prompt has 1999 tokens; the context holds 64\r\n" in machine.until(ENQ)
    assert machine.ask_framed(paste[:64]).text == on_host(paste[:64], 60)

    machine.send(b"/max_tokens 1500\r")
    machine.until(ENQ)
    reply = machine.ask_framed(b"x")
    assert reply.stats["tokens"] == 1500
    assert reply.stats["time_ms"] / 1000 == pytest.approx(reply.seconds, rel=0.1, abs=0.05)
    machine.send(b"/quit\r")
    assert machine.power_off() == 0
