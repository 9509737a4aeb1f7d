/* Code points and their classes. */
#include "unicode.h"

size_t unicode_next(const uint8_t *s, size_t n, uint32_t *code) {
    uint8_t lowest = 0x80, highest = 0xBF, lead = s[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    *code = UNICODE_REPLACEMENT;
    if (length == 0 || length > n) return 1;
    if (lead == 0xE0) lowest = 0xA0;  /* no overlong forms */
    if (lead == 0xED) highest = 0x9F; /* no surrogates */
    if (lead == 0xF0) lowest = 0x90;
    if (lead == 0xF4) highest = 0x8F; /* up to U+10FFFF */
    uint32_t value = length == 1 ? lead : lead & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (s[i] < lowest || s[i] > highest) return 1;
        value = value << 6 | (s[i] & 0x3F);
        lowest = 0x80;
        highest = 0xBF;
    }
    *code = value;
    return length;
}

static int inside(const struct unicode_range *ranges, uint32_t count, uint32_t code) {
    uint32_t low = 0, high = count; /* the first range that ends at code or after it lies in [low,high] */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ranges[middle].last < code) low = middle + 1;
        else high = middle;
    }
    return low < count && ranges[low].first <= code;
}

/* The property White_Space. */
static int is_space(uint32_t code) {
    return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F ||
           code == 0x205F || code == 0x3000;
}

enum unicode_class unicode_class_of(uint32_t code) {
    if (is_space(code)) return UNICODE_SPACE;
    if (inside(unicode_letters, unicode_letters_count, code)) return UNICODE_LETTER;
    if (inside(unicode_numbers, unicode_numbers_count, code)) return UNICODE_NUMBER;
    return UNICODE_OTHER;
}

unsigned unicode_width(uint32_t code) {
    if (code < 0xAD) return 1; /* what is typed and said most */
    if (inside(unicode_zero, unicode_zero_count, code)) return 0;
    return inside(unicode_wide, unicode_wide_count, code) ? 2 : 1;
}
