/* struct platform's show_picture on UEFI. */
#ifndef INGOT_UEFI_PICTURE_H
#define INGOT_UEFI_PICTURE_H

#include "../engine/platform.h"
#include <efi.h>

/* Once, before the other. */
void picture_open(EFI_SYSTEM_TABLE *st);

/* On every screen with graphics: at the upper right, as large as a whole factor allows on half of its width. Text
 * goes on where it was, and moves the picture when it scrolls. */
enum status picture_show(void *ctx, const uint32_t *pixels, uint32_t width, uint32_t height, struct error *error);

#endif
