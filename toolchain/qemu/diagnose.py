"""Why an accelerator is unusable, and the mend: for `./doit doctor`. Rules are pure, on facts gathered once."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolchain.errors import UserError
from toolchain.qemu import binary
from toolchain.qemu.memo import Memo, cache_folder


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's list; `mend` is empty where all is well."""

    name: str
    ok: bool
    detail: str
    mend: str = ""


@dataclass(frozen=True)
class Facts:
    """What the rules look at."""

    platform: str  # sys.platform
    arch: str  # platform.machine()
    cpu_flags: frozenset[str] = frozenset()
    vendor: str = ""
    container: bool = False
    modules: frozenset[str] = frozenset()
    kvm_device: bool = False
    kvm_rights: bool = False
    kvm_group: str = ""  # the group of /dev/kvm, where its members may use it
    windows_features: Mapping[str, str] = field(default_factory=dict)  # name -> Enabled, Disabled or ''
    windows_virtualization: bool | None = None  # the firmware switch, where Windows tells
    hv_support: bool = False  # macOS: kern.hv_support
    remembered: Mapping[str, str] = field(default_factory=dict)  # from the memo
    memo_path: str = ""


def accelerator(facts: Facts) -> Finding:
    """The accelerator of this machine. Never a reason to stop: TCG runs everywhere, slower."""
    if facts.arch.lower() not in ("x86_64", "amd64"):
        return Finding("accelerator", False, f"this CPU is {facts.arch}: x86-64 is emulated (tcg)",
                       "nothing to mend; an x86-64 machine boots several times faster")
    rules = {"linux": _kvm, "win32": _whpx, "darwin": _hvf}
    rule = rules.get(facts.platform)
    if rule is None:
        return Finding("accelerator", False, f"none is known for {facts.platform}", "tcg is used")
    found = rule(facts)
    broken = {name: reason for name, reason in facts.remembered.items() if name.startswith(found.name + " ")}
    if found.ok and broken:
        return Finding(found.name, False, "; ".join(f"{name} failed: {reason}" for name, reason in broken.items()),
                       f"tcg is used; to try again: ./doit boot accel={found.name} fallback=0 (or delete "
                       f"{facts.memo_path}). {_nested(facts)}")
    return found


def _nested(facts: Facts) -> str:
    if "hypervisor" not in facts.cpu_flags:
        return "A newer kernel or firmware may mend it"
    module = "kvm_amd" if facts.vendor == "AuthenticAMD" else "kvm_intel"
    return ("This machine is itself a guest: its host must offer nested virtualisation in full "
            f"(on a Linux host: modprobe {module} nested=1)")


def _kvm(facts: Facts) -> Finding:
    if facts.kvm_device and facts.kvm_rights:
        return Finding("kvm", True, "/dev/kvm can be opened (each boot checks that it works)")
    if facts.kvm_device:
        group = facts.kvm_group or "kvm"
        return Finding("kvm", False, "no rights on /dev/kvm", f"sudo usermod -aG {group} $USER, then log in again"
                       if not facts.container else "start the container with --device /dev/kvm and --group-add "
                       f"{group}")
    if facts.container:
        return Finding("kvm", False, "no /dev/kvm in this container", "start it with --device /dev/kvm")
    if not facts.cpu_flags & {"svm", "vmx"}:
        if "hypervisor" in facts.cpu_flags:
            return Finding("kvm", False, "this machine is a guest without nested virtualisation",
                           "have its host offer it (nested=1 and a CPU type that passes svm or vmx)")
        return Finding("kvm", False, "virtualisation is off in the firmware, or the CPU has none",
                       "switch on SVM (AMD) or VT-x (Intel) in the firmware set-up")
    module = "kvm_amd" if "svm" in facts.cpu_flags else "kvm_intel"
    if module not in facts.modules:
        return Finding("kvm", False, f"the kernel module {module} is not loaded",
                       f"sudo modprobe {module}; if it says 'not supported', switch on "
                       f"{'SVM' if module == 'kvm_amd' else 'VT-x'} in the firmware set-up")
    return Finding("kvm", False, f"{module} is loaded but there is no /dev/kvm",
                   "see dmesg: the firmware may have locked virtualisation off")


def _whpx(facts: Facts) -> Finding:
    if facts.windows_virtualization is False:
        return Finding("whpx", False, "virtualisation is off in the firmware",
                       "switch on SVM (AMD) or VT-x (Intel) in the firmware set-up")
    state = facts.windows_features.get("HypervisorPlatform", "")
    if state == "Disabled":
        return Finding("whpx", False, "the Windows feature 'Windows Hypervisor Platform' is off",
                       "as administrator: dism /online /enable-feature /featurename:HypervisorPlatform /all, "
                       "then restart")
    if state == "Enabled":
        return Finding("whpx", True, "Windows Hypervisor Platform is on (each boot checks that it works)")
    return Finding("whpx", False, "Windows does not say whether its Hypervisor Platform is on",
                   "as administrator: dism /online /get-featureinfo /featurename:HypervisorPlatform")


def _hvf(facts: Facts) -> Finding:
    if facts.hv_support:
        return Finding("hvf", True, "Hypervisor.framework is there (each boot checks that it works)")
    return Finding("hvf", False, "this Mac has no Hypervisor.framework (kern.hv_support is 0)",
                   "tcg is used; inside a virtual machine its host must offer nested virtualisation")


def accelerators(qemu: binary.Qemu | None) -> list[Finding]:
    """What can run a guest fast on this machine. `qemu` is the one that would boot, if it is there already."""
    version = None
    if qemu is not None:
        with contextlib.suppress(UserError):
            version = binary.version(qemu, cache_folder() / "qemu.json")
    return [accelerator(gather(version))]


def gather(qemu_version: str | None) -> Facts:
    """The facts of this machine. Asks Windows and macOS by their own programs, Linux by its files."""
    memo = Memo.of_this_machine(qemu_version) if qemu_version else None
    known = {"remembered": memo.failures() if memo else {}, "memo_path": str(memo.path) if memo else ""}
    common: dict[str, Any] = {"platform": sys.platform, "arch": platform.machine(), **known}
    if sys.platform.startswith("linux"):
        return Facts(**{**common, "platform": "linux", **_linux()})
    if sys.platform == "win32":
        return Facts(**common, **_windows())
    if sys.platform == "darwin":
        return Facts(**common, hv_support=_ask("sysctl", "-n", "kern.hv_support") == "1")
    return Facts(**common)


def _linux() -> dict[str, Any]:
    lines = dict(line.split(":", 1) for line in _read("/proc/cpuinfo").partition("\n\n")[0].splitlines() if ":" in line)
    words = {key.strip(): value.strip() for key, value in lines.items()}
    device = Path("/dev/kvm")
    group = ""
    if device.exists():
        import grp

        stat = device.stat()
        if stat.st_mode & 0o060 == 0o060:
            try:
                group = grp.getgrgid(stat.st_gid).gr_name
            except KeyError:
                group = str(stat.st_gid)
    inside = Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()
    return {
        "cpu_flags": frozenset(words.get("flags", "").split()),
        "vendor": words.get("vendor_id", ""),
        "container": inside or "container=" in _read("/proc/1/environ"),
        "modules": frozenset(name for name in ("kvm_amd", "kvm_intel") if Path("/sys/module", name).exists()),
        "kvm_device": device.exists(),
        "kvm_rights": os.access(device, os.R_OK | os.W_OK),
        "kvm_group": group,
    }


def _windows() -> dict[str, Any]:
    query = ("$f = Get-CimInstance Win32_OptionalFeature -Filter \"Name='HypervisorPlatform'\"; $f.InstallState; "
             "(Get-CimInstance Win32_ComputerSystem).HypervisorPresent; "
             "(Get-CimInstance Win32_Processor).VirtualizationFirmwareEnabled")
    words = [*_ask("powershell", "-NoProfile", "-Command", query).split(), "", "", ""]
    # Under a running hypervisor Windows reports the firmware switch as off: it is not.
    return {"windows_features": {"HypervisorPlatform": {"1": "Enabled", "2": "Disabled"}.get(words[0], "")},
            "windows_virtualization": True if words[1] == "True" else {"True": True, "False": False}.get(words[2])}


def _ask(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
