/* Code points in UTF-8, and the classes that pre-tokenizers ask for. */
#ifndef INGOT_UNICODE_H
#define INGOT_UNICODE_H

#include <stddef.h>
#include <stdint.h>

#define UNICODE_REPLACEMENT 0xFFFDu

enum unicode_class { UNICODE_OTHER, UNICODE_LETTER, UNICODE_NUMBER, UNICODE_SPACE };

/* The code point that starts the n bytes at s (n >= 1) -> code; returns its bytes, 1 to 4. A byte that starts no
 * well-formed one is U+FFFD, 1 byte long. */
size_t unicode_next(const uint8_t *s, size_t n, uint32_t *code);

/* \p{L}, \p{N}, White_Space, or none of them. */
enum unicode_class unicode_class_of(uint32_t code);

/* Columns of a terminal: 2 for CJK and emoji, 0 for what stands on the character before it, else 1. */
unsigned unicode_width(uint32_t code);

/* unicode_table.c */
struct unicode_range {
    uint32_t first, last;
};
extern const struct unicode_range unicode_letters[], unicode_numbers[], unicode_wide[], unicode_zero[];
extern const uint32_t unicode_letters_count, unicode_numbers_count, unicode_wide_count, unicode_zero_count;

#endif
