/* The graphics screens, as text. */
#ifndef INGOT_UEFI_SCREEN_H
#define INGOT_UEFI_SCREEN_H

#include <efi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCREEN_MAX 4

struct hii_font;

struct screen {
    SIMPLE_TEXT_OUTPUT_INTERFACE *out[SCREEN_MAX];
    size_t outs;
    EFI_BOOT_SERVICES *bs;
    struct hii_font *font; /* NULL: unknown */
    uint32_t point, least; /* the UTF-8 sequence being read: its bits so far, its smallest legal value */
    unsigned missing;      /* and how many bytes it lacks */
};

/* Every screen that has graphics; with `any`, the firmware's console instead, whatever it is. */
void screen_open(struct screen *s, EFI_SYSTEM_TABLE *st, bool any);

/* UTF-8, which may be cut anywhere between two calls. What is no UTF-8 or has no glyph shows as '?'; each
 * character takes the columns that a terminal gives it (engine/unicode.h). */
void screen_write(struct screen *s, const char *text, size_t n);

void screen_clear(struct screen *s);

#endif
