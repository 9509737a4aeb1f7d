"""Which accelerator ends up running, what the user is told, and how much time a bad one costs."""

from __future__ import annotations

import json
import os
import time

import pytest

from tests.qemu.conftest import Bed

CHAT = {"tcg": "chat"}
ASK = "prompt=Hello"


@pytest.mark.parametrize(("accel", "behaviour", "outcome", "reason"), [
    ("kvm", "msr", "exited", "failed to set MSR 0x10a to 0x69"),
    ("kvm", "internal", "stopped", "KVM internal error. Suberror: 1"),
    ("kvm", "internal-quiet", "stopped", "the guest was stopped by an internal error"),
    ("whpx", "whpx", "exited", "WHPX: Failed to emulate MMIO access with EmulatorReturnStatus: 2"),
    ("hvf", "hvf", "exited", "HVF error: HV_ERROR"),
    ("kvm", "die:134", "exited", "QEMU ended with status 134"),
])
def test_explicit_failure_falls_back_and_is_remembered(bed: Bed, accel: str, behaviour: str, outcome: str,
                                                       reason: str) -> None:
    words = (f"accel={accel}", ASK)
    code, out, err = bed.boot({accel: behaviour, **CHAT}, *words)
    assert code == 0 and out.startswith(b"Hello and ")
    assert err == f"accelerator: {accel} failed ({reason}), using tcg\n"
    assert [(a["accel"], a["outcome"], a["reason"]) for a in bed.report["attempts"]] == [
        (accel, outcome, reason), ("tcg", "ok", "")]
    assert bed.report["accel_requested"] == accel and bed.report["accel_used"] == "tcg"
    assert bed.report["attempts"][0]["seconds"] < 1.5

    code, out, err = bed.boot({accel: behaviour, **CHAT}, *words)
    assert code == 0 and err == f"accelerator: {accel} failed before ({reason}), using tcg\n"
    assert bed.report["attempts"][0] == {"accel": accel, "outcome": "remembered", "reason": reason, "seconds": 0.0}
    assert [start.split()[0] for start in bed.starts] == [accel, "tcg", "tcg"]


def test_silence_costs_less_than_three_seconds_and_is_retried(bed: Bed) -> None:
    for again in (1, 2):
        started = time.monotonic()
        code, _, err = bed.boot({"kvm": "silent", **CHAT}, "accel=kvm", "avx2=on", ASK)
        assert code == 0
        whole, good = time.monotonic() - started, bed.report["attempts"][-1]["seconds"]
        assert 2.4 <= sum(one["seconds"] for one in bed.report["attempts"]) - good < 3.0
        assert whole < 8  # (a busy machine takes its time to start Python)
        assert err.startswith("accelerator: kvm -cpu host,avx2=on,fma=on failed (no sign of life in 2.")
        assert err.endswith("using tcg\n") and err.count("\n") == 1
        assert bed.starts.count("kvm host,avx2=on,fma=on") == again
    assert [a["outcome"] for a in bed.report["attempts"]] == ["silent", "skipped", "ok"]


def test_forced_avx2_is_dropped_before_tcg(bed: Bed) -> None:
    code, _, err = bed.boot({"kvm": "msr", **CHAT}, "accel=kvm", "avx2=on", ASK)
    assert code == 0
    assert bed.starts == ["kvm host,avx2=on,fma=on", "kvm host", "tcg max,avx2=on,fma=on"]
    assert err.count("\n") == 1 and err.count("failed to set MSR") == 2


def test_passing_failure_is_not_remembered(bed: Bed) -> None:
    for _ in range(2):
        code, _, err = bed.boot({"kvm": "denied", **CHAT}, "accel=kvm", ASK)
        assert code == 0
        assert "kvm failed (Could not access KVM kernel module: Permission denied), using tcg" in err
    assert len(bed.starts) == 4


def test_fallback_0_fails_and_ignores_the_memory(bed: Bed) -> None:
    bed.boot({"kvm": "msr", **CHAT}, "accel=kvm", ASK)
    code, out, err = bed.boot({"kvm": "msr", **CHAT}, "accel=kvm", "fallback=0", ASK)
    assert code == 1 and out == b""
    assert err == ("error: no boot with accel=kvm: failed to set MSR 0x10a to 0x69\n"
                   "hint: leave out fallback=0, or use accel=tcg\n")
    assert bed.starts[-1] == "kvm host"
    assert bed.report["exit"] == 1 and bed.report["accel_used"] is None


def test_success_clears_the_memory(bed: Bed) -> None:
    bed.boot({"kvm": "msr", **CHAT}, "accel=kvm", ASK)
    assert bed.boot({"kvm": "chat"}, "accel=kvm", "fallback=0", ASK)[0] == 0
    code, _, err = bed.boot({"kvm": "chat"}, "accel=kvm", ASK)
    assert (code, err) == (0, "") and bed.report["accel_used"] == "kvm"


def test_another_qemu_is_tried_afresh(bed: Bed) -> None:
    bed.boot({"kvm": "msr", **CHAT}, "accel=kvm", ASK)
    program = bed.folder / "bin" / "qemu-system-x86_64"
    program.write_text(program.read_text().replace("9.0.0", "9.0.1"))
    os.utime(program, (1, 1))
    bed.boot({"kvm": "msr", **CHAT}, "accel=kvm", ASK)
    assert [start.split()[0] for start in bed.starts] == ["kvm", "tcg"] * 2


def test_failure_after_life_is_an_error_and_is_remembered(bed: Bed) -> None:
    code, _, err = bed.boot({"kvm": "late-internal", **CHAT}, "accel=kvm", ASK)
    assert code == 1
    assert err.startswith("error: QEMU failed before the program's prompt: KVM internal error. Suberror: 1")
    assert "BdsDxe: starting" in err
    assert bed.boot({"kvm": "late-internal", **CHAT}, "accel=kvm", ASK)[0] == 0
    assert bed.report["attempts"][0]["outcome"] == "remembered"


def test_all_fail(bed: Bed) -> None:
    code, _, err = bed.boot({"tcg": "die:7"}, "accel=tcg", ASK)
    assert code == 1
    assert err.splitlines() == ["error: no boot with accel=tcg: QEMU ended with status 7",
                                "hint: see ./doit doctor and docs/qemu.md"]


def test_the_last_attempt_is_given_its_time_but_not_for_ever(bed: Bed) -> None:
    started = time.monotonic()
    code, _, err = bed.boot({"tcg": "silent"}, "accel=tcg", "timeout=4", ASK)
    assert code == 1 and "no sign of life in 4.0 s" in err
    assert 4.0 <= time.monotonic() - started < 8.0


def test_a_memory_that_cannot_be_read_is_empty(bed: Bed) -> None:
    memory = bed.folder / "cache" / "ingot" / "accelerators.json"
    memory.parent.mkdir(parents=True)
    memory.write_text("{")
    assert bed.boot({"kvm": "msr", **CHAT}, "accel=kvm", ASK)[0] == 0
    assert list(json.loads(memory.read_text()).values()) == ["failed to set MSR 0x10a to 0x69"]
