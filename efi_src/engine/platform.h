/* All that the engine asks of a host. uefi/ and host/ implement it. */
#ifndef INGOT_PLATFORM_H
#define INGOT_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

#define PLATFORM_END (-2)

struct platform {
    void *ctx;

    /* Console. Text is UTF-8; `\n` ends a line (the host adds `\r` where its device wants one).
     * Control bytes other than `\n`, `\t`, `\b` and `\r` go to the serial line alone. */
    void (*write)(void *ctx, const char *text, size_t n);
    /* Next input byte, or -1 when there is none now, or PLATFORM_END when there will be no more (a
     * pipe's end). Keys that are not text arrive as ANSI sequences (ESC [ A …), so that a keyboard
     * and a serial line look the same. */
    int (*read)(void *ctx);
    /* Sleeps until there may be input; may return early. */
    void (*wait)(void *ctx);
    /* Erases the screen. */
    void (*clear)(void *ctx);

    /* Clock: microseconds since some fixed moment, never going back. */
    uint64_t (*now_us)(void *ctx);

    /* Memory, for use while loading alone: zeroed, 64-byte aligned; NULL when there is none. */
    void *(*alloc)(void *ctx, size_t bytes);
    /* Gives memory back, of as many bytes as were asked for; may be NULL: then nothing comes back. */
    void (*release)(void *ctx, void *memory, size_t bytes);
};

#endif
