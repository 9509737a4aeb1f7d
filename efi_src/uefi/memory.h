#ifndef INGOT_UEFI_MEMORY_H
#define INGOT_UEFI_MEMORY_H

#include <efi.h>
#include <stddef.h>
#include <stdint.h>

/* Whole pages from the firmware, zeroed; NULL when there are none. What is not freed ends with the machine's
 * being switched off. */
void *memory_alloc(EFI_BOOT_SERVICES *bs, size_t bytes);

/* The same, with whatever was in them: for what is filled at once. */
void *memory_pages(EFI_BOOT_SERVICES *bs, size_t bytes);

/* Gives back pages of as many bytes as were asked for. */
void memory_free(EFI_BOOT_SERVICES *bs, void *memory, size_t bytes);

/* Such pages below 4 GiB, for devices: some firmware reads files wrongly into those above. */
void *memory_low(EFI_BOOT_SERVICES *bs, size_t bytes);

/* The bytes of the largest free run of pages; 0 where the firmware does not tell. */
uint64_t memory_largest(EFI_BOOT_SERVICES *bs);

#endif
