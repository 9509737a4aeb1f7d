# Links objects into an EFI program. usage: sh link.sh BOOTX64.EFI OBJECT...
# The bytes depend on the objects and their order alone: no path, no date.
set -eu

out=$1
shift
lib=/usr/lib # gnu-efi's start-up code, linker script and relocation; nothing else of it

ld -nostdlib -znocombreloc -shared -Bsymbolic -z defs -T "$lib/elf_x86_64_efi.lds" \
    -o "$out.so" "$lib/crt0-efi-x86_64.o" "$@" "$lib/libgnuefi.a"
# An undefined symbol would become a call into nothing; -z defs misses some kinds.
undefined=$(nm --undefined-only "$out.so")
if [ -n "$undefined" ]; then
    echo "error: undefined in $out:" $undefined >&2
    echo "hint: EFI programs have no libc; write it in efi_src/engine or efi_src/uefi" >&2
    exit 1
fi
objcopy -j .text -j .data -j .dynamic -j .dynsym -j '.rela*' -j .reloc \
    --target=efi-app-x86_64 --subsystem=10 "$out.so" "$out"
rm "$out.so"
