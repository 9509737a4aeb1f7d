/* What a screen can show. */
#ifndef INGOT_UEFI_GLYPH_H
#define INGOT_UEFI_GLYPH_H

#include <efi.h>
#include <stdint.h>

struct hii_font; /* EFI_HII_FONT_PROTOCOL, which gnu-efi does not declare */

/* NULL where the firmware has none (its console then draws as it can). */
struct hii_font *glyph_font(EFI_BOOT_SERVICES *bs);

/* The unit to print for a code point: itself where the font has it, an ASCII likeness or '?' else. */
CHAR16 glyph_for(struct hii_font *font, EFI_BOOT_SERVICES *bs, uint32_t point);

#endif
