/* Streaming UTF-8 decoder, after the one of the WHATWG Encoding Standard. */
#include "utf8.h"

int utf8_is_control(uint8_t byte) {
    return (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F;
}

static size_t replacement(char *out) {
    out[0] = (char)0xEF, out[1] = (char)0xBF, out[2] = (char)0xBD;
    return 3;
}

/* The first byte of a code point. */
static size_t first(struct utf8 *u, uint8_t byte, char *out) {
    if (byte < 0x80) {
        if (utf8_is_control(byte)) return 0;
        out[0] = (char)byte;
        return 1;
    }
    if (byte < 0xC2 || byte > 0xF4) return replacement(out); /* C0, C1: overlong; F5 and up: too large */
    u->needed = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
    u->lowest = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80;  /* no overlong forms */
    u->highest = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : 0xBF; /* no surrogates; up to U+10FFFF */
    u->bytes[0] = byte;
    u->seen = 1;
    return 0;
}

size_t utf8_push(struct utf8 *u, uint8_t byte, char *out) {
    if (u->needed == 0) return first(u, byte, out);
    if (byte < u->lowest || byte > u->highest) {
        u->needed = 0;
        size_t n = replacement(out);
        return n + first(u, byte, out + n);
    }
    u->bytes[u->seen++] = byte;
    u->lowest = 0x80;
    u->highest = 0xBF;
    if (--u->needed != 0) return 0;
    if (u->bytes[0] == 0xC2 && byte < 0xA0) return 0; /* U+0080 to U+009F: U+009B is ESC [ to some terminals */
    for (size_t i = 0; i < u->seen; i++) out[i] = (char)u->bytes[i];
    return u->seen;
}

size_t utf8_end(struct utf8 *u, char *out) {
    int unfinished = u->needed != 0;
    u->needed = 0;
    return unfinished ? replacement(out) : 0;
}

void utf8_show(const char *text, size_t n, void (*put)(void *ctx, const char *utf8, size_t n), void *ctx) {
    struct utf8 u = {.seen = 0};
    char out[UTF8_PUSH_MAX];
    for (size_t i = 0; i < n; i++) put(ctx, out, utf8_push(&u, (uint8_t)text[i], out));
    put(ctx, out, utf8_end(&u, out));
}
