"""Why an accelerator is unusable, on made-up machines."""

from __future__ import annotations

import pytest

from toolchain.qemu.diagnose import Facts, accelerator, accelerators

SVM = frozenset({"svm"})
GUEST = frozenset({"hypervisor"})


@pytest.mark.parametrize(("facts", "name", "ok", "detail", "mend"), [
    (Facts("linux", "x86_64", kvm_device=True, kvm_rights=True), "kvm", True, "/dev/kvm can be opened", ""),
    (Facts("linux", "x86_64", kvm_device=True, kvm_group="kvm"), "kvm", False, "no rights", "usermod -aG kvm"),
    (Facts("linux", "x86_64", kvm_device=True, container=True), "kvm", False, "no rights", "--group-add kvm"),
    (Facts("linux", "x86_64", container=True), "kvm", False, "in this container", "--device /dev/kvm"),
    (Facts("linux", "x86_64"), "kvm", False, "off in the firmware", "VT-x"),
    (Facts("linux", "x86_64", GUEST), "kvm", False, "without nested virtualisation", "nested=1"),
    (Facts("linux", "x86_64", SVM), "kvm", False, "kvm_amd is not loaded", "modprobe kvm_amd"),
    (Facts("linux", "x86_64", frozenset({"vmx"})), "kvm", False, "kvm_intel is not loaded", "VT-x"),
    (Facts("linux", "x86_64", SVM, modules=frozenset({"kvm_amd"})), "kvm", False, "no /dev/kvm", "dmesg"),
    (Facts("linux", "aarch64"), "accelerator", False, "aarch64", "nothing to mend"),
    (Facts("win32", "AMD64", windows_features={"HypervisorPlatform": "Enabled"}), "whpx", True, "is on", ""),
    (Facts("win32", "AMD64", windows_features={"HypervisorPlatform": "Disabled"}), "whpx", False, "is off",
     "/featurename:HypervisorPlatform"),
    (Facts("win32", "AMD64", windows_virtualization=False), "whpx", False, "firmware", "SVM"),
    (Facts("win32", "AMD64"), "whpx", False, "does not say", "get-featureinfo"),
    (Facts("darwin", "x86_64", hv_support=True), "hvf", True, "is there", ""),
    (Facts("darwin", "x86_64"), "hvf", False, "hv_support", "nested"),
    (Facts("darwin", "arm64", hv_support=True), "accelerator", False, "arm64", ""),
    (Facts("freebsd14", "amd64"), "accelerator", False, "freebsd14", "tcg"),
])
def test_rules(facts: Facts, name: str, ok: bool, detail: str, mend: str) -> None:
    found = accelerator(facts)
    assert (found.name, found.ok) == (name, ok)
    assert detail in found.detail and mend in found.mend
    assert found.ok == (not found.mend)


def test_there_but_broken() -> None:
    """The device opens, and an earlier boot knows better."""
    facts = Facts("linux", "x86_64", GUEST, "AuthenticAMD", kvm_device=True, kvm_rights=True,
                  remembered={"kvm -cpu host": "failed to set MSR 0x10a to 0x69", "hvf -cpu host": "x"}, memo_path="/m")
    found = accelerator(facts)
    assert not found.ok
    assert found.detail == "kvm -cpu host failed: failed to set MSR 0x10a to 0x69"
    assert "accel=kvm fallback=0" in found.mend and "/m" in found.mend and "kvm_amd nested=1" in found.mend


def test_this_machine() -> None:
    found = accelerators(None)
    assert len(found) == 1 and found[0].name and found[0].detail
