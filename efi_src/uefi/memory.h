#ifndef INGOT_UEFI_MEMORY_H
#define INGOT_UEFI_MEMORY_H

#include "split.h"
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

/* The same at this place; NULL when it is not free. */
void *memory_at(EFI_BOOT_SERVICES *bs, uint64_t at, size_t bytes);

/* The free runs of pages -> *out, until it is called again; their number, 0 where the firmware does not tell. */
size_t memory_regions(EFI_BOOT_SERVICES *bs, struct region **out);

/* The bytes of all of them, and of the largest -> *largest. */
uint64_t memory_left(EFI_BOOT_SERVICES *bs, uint64_t *largest);

#endif
