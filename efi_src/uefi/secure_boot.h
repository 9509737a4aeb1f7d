#ifndef INGOT_UEFI_SECURE_BOOT_H
#define INGOT_UEFI_SECURE_BOOT_H

#include <efi.h>
#include <stdbool.h>

/* Whether the firmware checks the signature of what it starts: its variable SecureBoot is 1. */
bool secure_boot_on(EFI_SYSTEM_TABLE *st);

#endif
