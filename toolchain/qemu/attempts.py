"""Which accelerators and CPUs to try, in which order. Pure."""

from __future__ import annotations

from dataclasses import dataclass

OWN = {"linux": "kvm", "win32": "whpx", "darwin": "hvf"}


@dataclass(frozen=True)
class Attempt:
    """One way of starting QEMU: -accel and -cpu."""

    accel: str
    cpu: str


def own_accelerator(platform: str, arch: str) -> str | None:
    """The accelerator of this machine, or None. `platform` is sys.platform, `arch` platform.machine()."""
    return OWN.get(platform) if arch.lower() in ("x86_64", "amd64") else None


def plan(accel: str, cpu: str, avx2: str, *, fallback: bool, own: str | None) -> tuple[Attempt, ...]:
    """The attempts in order, the last of them TCG unless `fallback` is off.

    After an attempt with AVX2 forced on comes the same without: a host that lacks it refuses the flags
    but can still run the guest.
    """
    first = own or "tcg" if accel == "auto" else accel
    attempts = [Attempt(first, cpu_argument(first, cpu, avx2))]
    if fallback and first != "tcg":
        if avx2 == "on":
            attempts.append(Attempt(first, cpu_argument(first, cpu, "auto")))
        attempts.append(Attempt("tcg", cpu_argument("tcg", cpu, avx2)))
    return tuple(attempts)


def cpu_argument(accel: str, cpu: str, avx2: str) -> str:
    """The -cpu of an attempt. `auto` is all that the accelerator can give; TCG has no host to copy."""
    model, comma, flags = cpu.partition(",")
    if model == "auto":
        # WHPX shows the guest the host's own CPUID under any name, knows no `host` in older QEMUs, and
        # fails with `max` on many machines (unexpected VP exit code 4).
        model = {"kvm": "host", "hvf": "host", "whpx": "qemu64"}.get(accel, "max")
    if model == "host" and accel == "tcg":
        model = "max"
    forced = {"on": ",avx2=on,fma=on", "off": ",avx2=off,fma=off", "auto": ""}[avx2]
    return model + comma + flags + forced
