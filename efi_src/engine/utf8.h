/* Bytes as they come from a model, made into text that is safe to show. */
#ifndef INGOT_UTF8_H
#define INGOT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* A code point of which some bytes are still to come; all zero to begin with. */
struct utf8 {
    uint8_t bytes[4];
    uint8_t seen, needed;   /* bytes held; bytes still to come */
    uint8_t lowest, highest; /* what the next byte may be */
};

#define UTF8_PUSH_MAX 6

/* Takes a byte, writes what is now complete to out (UTF8_PUSH_MAX) and returns its length. Each
 * maximal part of an ill-formed sequence becomes one U+FFFD (Unicode 15, 3.9; as Python's "replace").
 * Control characters (below 0x20, U+007F to U+009F) other than \n and \t are dropped. */
size_t utf8_push(struct utf8 *u, uint8_t byte, char *out);

/* The end of the text: U+FFFD (3 bytes) when a code point is unfinished, else nothing. */
size_t utf8_end(struct utf8 *u, char *out);

/* A whole text, by pieces, made safe to show. */
void utf8_show(const char *text, size_t n, void (*put)(void *ctx, const char *utf8, size_t n), void *ctx);

/* Whether the byte is a control that never belongs to a text: those of one byte that utf8_push drops. */
int utf8_is_control(uint8_t byte);

#endif
