"""flake.nix, with a stand-in for nixpkgs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

STUB = """
let
  named = name: { inherit name; };
  asked = [ "gcc" "binutils" "gnu-efi" "mtools" "gptfdisk" "dosfstools" "sbsigntool" "python3" "bubblewrap" "qemu"
            "swtpm" ];
  pkgs = builtins.listToAttrs (map (name: { inherit name; value = named name; }) asked)
    // { OVMF.fd = named "OVMF"; mkShell = arguments: arguments; };
  flake = import FLAKE;
  outputs = flake.outputs { self = flake; nixpkgs.legacyPackages.x86_64-linux = pkgs; };
in { inherit (flake) description; systems = builtins.attrNames outputs.devShells;
     packages = map (package: package.name) outputs.devShells.x86_64-linux.default.packages; }
"""


@pytest.mark.nix
def test_the_shell_asks_for_the_tools_of_cc_and_vm(root: Path, tmp_path: Path) -> None:
    if shutil.which("nix-instantiate") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs Nix: nix-instantiate is not on PATH")
    expression = tmp_path / "stub.nix"
    expression.write_text(STUB.replace("FLAKE", str(root / "flake.nix")))
    answer = subprocess.run(["nix-instantiate", "--eval", "--strict", "--json", "--store", "dummy://", str(expression)],
                            check=True, capture_output=True, text=True).stdout
    shell = json.loads(answer)
    assert shell["systems"] == ["x86_64-linux"] and shell["description"]
    assert sorted(shell["packages"]) == sorted(
        ["gcc", "binutils", "gnu-efi", "mtools", "gptfdisk", "dosfstools", "sbsigntool", "python3", "bubblewrap",
         "qemu", "OVMF", "swtpm"])
