/* All that the engine asks of a host. uefi/ and host/ implement it. */
#ifndef INGOT_PLATFORM_H
#define INGOT_PLATFORM_H

#include "status.h"
#include <stddef.h>
#include <stdint.h>

#define PLATFORM_END (-2)

/* One run of bytes of a file that is written from several. */
struct platform_part {
    const void *bytes;
    size_t size;
};

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
    /* Bytes that alloc could still give: in all, and in one piece -> *largest. NULL: not known. */
    uint64_t (*memory_free)(void *ctx, uint64_t *largest);

    /* Files beside the program (UEFI: the root of its volume; the host: the working directory). All three
     * are NULL where there are none. E_RANGE for a name that filename_check (filename.h) refuses, E_MISSING
     * for a file that is not there, else E_IO. */
    enum status (*file_size)(void *ctx, const char *name, uint64_t *size, struct error *error);
    /* n bytes from `from` on, all of them. */
    enum status (*file_read)(void *ctx, const char *name, uint64_t from, void *to, size_t n, struct error *error);
    /* The whole file, from `count` parts; the old one stays until the new one is complete. */
    enum status (*file_write)(void *ctx, const char *name, const struct platform_part *parts, size_t count,
                              struct error *error);

    /* Runs work(arg) and returns its status; E_FAULT when a CPU exception on any core ended it, which `error`
     * tells in a line and fault_report in many. NULL: exceptions end the program. */
    enum status (*guard)(void *ctx, enum status (*work)(void *arg), void *arg, struct error *error);
    /* Registers and stack of the last exception, lines of text; "" when there was none. */
    const char *(*fault_report)(void *ctx);

    /* Shows a picture of width * height pixels 0x00RRGGBB, top row first; E_UNSUPPORTED without a screen.
     * NULL: there never is one. */
    enum status (*show_picture)(void *ctx, const uint32_t *pixels, uint32_t width, uint32_t height,
                                struct error *error);
};

#endif
