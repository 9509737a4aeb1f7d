# A development shell for those who have nixpkgs, with the tools of the toolchain roots cc and vm: `nix develop`.
#
# It is a convenience. Its versions are those of nixpkgs, not those of toolchain/*.lock: what is built with
# them (toolchain=host) is unpinned. The pinned tree, in Nix's own sandbox, is toolchain=nix: that needs Nix
# alone, neither nixpkgs nor this file.
{
  description = "ingot: a disk image that boots straight into a language model";

  inputs.nixpkgs.url = "nixpkgs";

  outputs = { self, nixpkgs }:
    let
      system = "x86_64-linux";
      pkgs = nixpkgs.legacyPackages.${system};
    in
    {
      devShells.${system}.default = pkgs.mkShell {
        packages = [
          pkgs.gcc
          pkgs.binutils
          pkgs.gnu-efi
          pkgs.mtools
          pkgs.gptfdisk
          pkgs.dosfstools
          pkgs.sbsigntool
          pkgs.python3
          pkgs.bubblewrap
          pkgs.qemu
          pkgs.OVMF.fd
          pkgs.swtpm
        ];
      };
    };
}
