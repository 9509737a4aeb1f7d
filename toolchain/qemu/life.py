"""Whether an attempt lives: the rules that read QEMU's exit, stderr and monitor. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Life is the first byte on the serial line. Nothing earlier is sound: until then release builds of OVMF
# write neither to their flash nor to the debug port, and a KVM that fails may have run thousands of
# instructions by then. OVMF needs about a second on hardware, 4 s under TCG.
LOST_AT_MOST = 2.4  # seconds for all bad accelerators together; with starting and killing QEMU under 3
FIRST_LIFE = 120.0  # seconds for the last attempt of an interactive boot

# Statuses of QMP's query-status from which a guest never returns by itself.
DEAD_STATUS = {"internal-error": "the guest was stopped by an internal error",
               "guest-panicked": "the guest panicked", "io-error": "the guest was stopped by a disk error"}

# What accelerators print when they are broken: true until the kernel, QEMU or the CPU changes.
_BROKEN = re.compile(
    r"failed to set MSR|failed to get MSR|KVM internal error|emulation failure|KVM: entry failed|kvm run failed"
    r"|kvm_init_vcpu|kvm_arch_init_vcpu|kvm_buf_set_msrs|KVM_[A-Z_0-9]+ failed"
    r"|WHPX: (?!No accelerator found)|whpx: injection failed|HVF|hv_vm_create|hvf_"
    r"|host doesn't support requested features|Unexpected VP exit code|Assertion .* failed", re.I)
# What passes: rights, another program, memory, a module to load. Retried each time.
_PASSING = re.compile(
    r"Permission denied|No such file or directory|Device or resource busy|Cannot allocate memory|No such device"
    r"|cannot set up guest memory|\block\b|No accelerator found|not compiled|invalid accelerator"
    r"|unable to find CPU model|HV_DENIED|HV_BUSY|HV_NO_RESOURCES", re.I)
# Lines that explain nothing.
_NOISE = re.compile(
    r"^\s*$|warning:|terminating on signal|core dumped|^(extra data|[EC]?[A-Z]{2,3}\d?\s*=|Code=)", re.I)
_PREFIX = re.compile(r"^(.*[\\/])?qemu-system-x86_64(\.exe)?:\s*(error:\s*)?(-\w+ \S+:\s*)?", re.I)

USER_LEFT = (0, 1, 2, 130, 0xC000013A)  # once life was seen


@dataclass(frozen=True)
class Failure:
    """Why an attempt is dead."""

    outcome: str  # exited, stopped or silent
    reason: str  # one line, for the user
    remember: bool  # explicit, and so until something in the memo's key changes


def exited(code: int, stderr: str, shutdown: str | None = None) -> Failure:
    """QEMU ended before its time; `shutdown` is the reason that its monitor gave."""
    said = "\n".join(_lines(stderr))
    reset = "the guest reset itself, as after a crash" if shutdown == "guest-reset" else ""
    reason = explain(stderr) or reset or f"QEMU ended with status {show_status(code)}"
    crash = code < 0 or code in (134, 139) or code & 0xFFFFFFFF >= 0xC0000000
    return Failure("exited", reason, not _PASSING.search(said) and (crash or bool(_BROKEN.search(said))))


def stopped(status: str, stderr: str) -> Failure:
    """QEMU lives, its guest does not: a status of DEAD_STATUS, or an error on stderr."""
    return Failure("stopped", explain(stderr) or DEAD_STATUS.get(status, status), status == "internal-error")


def silent(seconds: float) -> Failure:
    """Nothing was heard; perhaps the machine was busy."""
    return Failure("silent", f"no sign of life in {seconds:.1f} s", False)


def fatal_line(stderr: str) -> bool:
    """Whether stderr tells of a guest that has stopped while QEMU goes on."""
    return "KVM internal error" in stderr or "KVM: entry failed" in stderr or "kvm run failed" in stderr


def explain(stderr: str) -> str:
    """The line of stderr that says most: the first that names a known failure, else the first that says anything."""
    lines = _lines(stderr)
    for pattern in (_BROKEN, _PASSING):
        for line in lines:
            if pattern.search(line):
                return line[:160]
    return lines[0][:160] if lines else ""


def _lines(stderr: str) -> list[str]:
    return [_PREFIX.sub("", line).strip() for line in stderr.splitlines() if not _NOISE.search(line)]


def show_status(code: int) -> str:
    """-6 -> 'signal 6', 3221225786 -> '0xC000013A', 1 -> '1'."""
    if -64 < code < 0:
        return f"signal {-code}"
    unsigned = code & 0xFFFFFFFF
    return f"0x{unsigned:08X}" if unsigned >= 0xC0000000 else str(code)


def user_left(code: int) -> bool:
    """Whether this exit of QEMU, after life was seen, is the user leaving. A death by SIGINT is 130."""
    return (128 - code if -64 < code < 0 else code & 0xFFFFFFFF) in USER_LEFT
