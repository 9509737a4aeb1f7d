"""Where the UEFI firmware is: OVMF's code and the template of its variables."""

from __future__ import annotations

import fnmatch
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolchain.errors import UserError
from toolchain.qemu.binary import Qemu, of_root, this_install_hint

# For systems without QEMU's firmware descriptors: code, variables.
_PAIRS = (
    ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),  # Debian, Ubuntu
    ("OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd"),  # Arch
    ("ovmf-x86_64-4m-code.bin", "ovmf-x86_64-4m-vars.bin"),  # openSUSE
    ("ovmf-x86_64-code.bin", "ovmf-x86_64-vars.bin"),
    ("OVMF_CODE.fd", "OVMF_VARS.fd"),  # Fedora, older Debian and Arch
    ("edk2-x86_64-code.fd", "edk2-i386-vars.fd"),  # QEMU's own: Homebrew, Windows, built from source
)
_FOLDERS = (
    "/usr/share/OVMF", "/usr/share/edk2/ovmf", "/usr/share/edk2/x64", "/usr/share/edk2-ovmf/x64",
    "/usr/share/qemu", "/usr/local/share/qemu", "/opt/homebrew/share/qemu", "/run/libvirt/nix-ovmf",
)
_DESCRIPTORS = ("/etc/qemu/firmware", "/usr/local/share/qemu/firmware", "/usr/share/qemu/firmware",
                "/opt/homebrew/share/qemu/firmware")
# The plain firmware: these want Secure Boot set up, or a confidential guest.
_UNWANTED = {"secure-boot", "requires-smm", "enrolled-keys", "amd-sev-es", "amd-sev-snp", "intel-tdx"}


@dataclass(frozen=True)
class Firmware:
    """Two flash images; `variables` is a template that no boot writes to."""

    code: Path
    variables: Path
    format: str = "raw"


def find(qemu: Qemu, machine: str, named: Path | None = None, vm: Callable[[], Path] | None = None) -> Firmware:
    """`named` (ovmf=), else INGOT_OVMF, else that of the QEMU's root; with this machine's QEMU this machine's, else
    that of the root that `vm` gives. Raises UserError."""
    chosen = named or (Path(os.environ["INGOT_OVMF"]) if os.environ.get("INGOT_OVMF") else None)
    if chosen is not None:
        return _named(chosen)
    if qemu.firmware is not None:  # the root's descriptors speak of /usr/share, which is this machine's
        return search(machine, [], [qemu.firmware])
    beside = [qemu.path.parent / "share", qemu.path.resolve().parent.parent / "share" / "qemu"]
    try:
        return search(machine, [Path(folder) for folder in _DESCRIPTORS] + [folder / "firmware" for folder in beside],
                      [Path(folder) for folder in _FOLDERS] + beside)
    except UserError as none:
        if vm is None:
            raise
        try:
            root = vm()
        except UserError as exc:
            raise UserError(f"{none.what}, and the toolchain's cannot be had: {exc.what}", none.hint) from exc
        return find(of_root(root), machine)


def search(machine: str, descriptors: list[Path], folders: list[Path]) -> Firmware:
    """By QEMU's firmware descriptors (docs/interop/firmware.json), else by the usual names. Raises UserError."""
    for folder in descriptors:
        try:
            files = sorted(folder.glob("*.json"))
        except OSError:
            continue
        for file in files:
            found = _described(file, machine)
            if found:
                return found
    for found in _usual(folders):
        return found
    raise UserError("no UEFI firmware: OVMF is not installed", this_install_hint())


def _usual(folders: list[Path]) -> Iterator[Firmware]:
    for code, variables in _PAIRS:
        for folder in folders:
            if (folder / code).is_file() and (folder / variables).is_file():
                yield Firmware(folder / code, folder / variables)


def _described(file: Path, machine: str) -> Firmware | None:
    """The firmware of one descriptor if it is a plain x86_64 UEFI in flash for this machine."""
    try:
        text: Any = json.loads(file.read_bytes())
        mapping = text["mapping"]
        code, variables = mapping["executable"], mapping["nvram-template"]
        usable = (mapping["device"] == "flash" and "uefi" in text["interface-types"]
                  and not _UNWANTED & set(text["features"])
                  and any(target["architecture"] == "x86_64" and _runs_on(target["machines"], machine)
                          for target in text["targets"]))
        found = Firmware(Path(code["filename"]), Path(variables["filename"]), code["format"])
        usable = usable and code["format"] == variables["format"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # another kind of descriptor (memory mapping, no variables), or a broken one
    return found if usable and found.code.is_file() and found.variables.is_file() else None


def _runs_on(patterns: list[str], machine: str) -> bool:
    full = {"q35": "pc-q35-0", "pc": "pc-i440fx-0"}.get(machine, machine)
    return any(fnmatch.fnmatch(full, pattern) for pattern in patterns)


def _named(path: Path) -> Firmware:
    """A file of code with its variables beside it, or a folder that holds a known pair."""
    if path.is_dir():
        for found in _usual([path]):
            return found
        raise UserError(f"ovmf={path}: no known pair of firmware and variables in that folder",
                        "name the code file itself, as in ovmf=/usr/share/OVMF/OVMF_CODE_4M.fd")
    if not path.is_file():
        raise UserError(f"ovmf={path}: no such file", "name OVMF's code file, as in /usr/share/OVMF/OVMF_CODE_4M.fd")
    known = [variables for code, variables in _PAIRS if code == path.name]
    swapped = path.name.replace("CODE", "VARS").replace("code", "vars")
    for name in [*known, swapped]:
        if name != path.name and (path.parent / name).is_file():
            return Firmware(path, path.parent / name)
    raise UserError(f"ovmf={path}: the variables that belong to it are not beside it",
                    f"put {known[0] if known else swapped} into the same folder")
