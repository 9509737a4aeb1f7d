#ifndef INGOT_UEFI_MEMORY_H
#define INGOT_UEFI_MEMORY_H

#include <efi.h>
#include <stddef.h>

/* Whole pages from the firmware, zeroed; NULL when there are none. Never freed: the program ends by
 * switching the machine off. */
void *memory_alloc(EFI_BOOT_SERVICES *bs, size_t bytes);

#endif
