/* struct platform's files on UEFI: the root of the volume that the program was started from. */
#ifndef INGOT_UEFI_DISK_H
#define INGOT_UEFI_DISK_H

#include "../engine/platform.h"
#include <efi.h>

/* Once, before the others. */
void disk_open(EFI_HANDLE image, EFI_BOOT_SERVICES *bs);

/* As struct platform (engine/platform.h) has them. */
enum status disk_size(void *ctx, const char *name, uint64_t *size, struct error *error);
enum status disk_read(void *ctx, const char *name, uint64_t from, void *to, size_t n, struct error *error);
enum status disk_write(void *ctx, const char *name, const struct platform_part *parts, size_t count,
                       struct error *error);

#endif
