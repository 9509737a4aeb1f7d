#include "load.h"

#define MIB (UINT64_C(1) << 20)
#define LARGE (32 * MIB)   /* smaller files are there before anybody wonders */
#define EVERY_US UINT64_C(250000)

/* The line of a large file, written over itself */
struct progress {
    uint64_t next_us; /* when it is written again */
    int shown;
};

static void say(const struct platform *platform, const char *text) {
    platform->write(platform->ctx, text, text_length(text));
}

static void tell(struct progress *progress, const struct platform *platform, const struct file *file) {
    char buffer[128];
    struct text line = text_into(buffer, sizeof(buffer));
    uint64_t now = platform->now_us(platform->ctx);

    if (file->size < LARGE || now < progress->next_us)
        return;
    progress->next_us = now + EVERY_US;
    progress->shown = 1;
    text_add(&line, "\r[load] ");
    text_add(&line, file->name);
    text_add(&line, " ");
    text_add_u64(&line, file->at / MIB);
    text_add(&line, "/");
    text_add_mib(&line, file->size);
    text_add(&line, " MiB");
    say(platform, buffer);
}

enum status load(const struct load *how, struct file *file, uint8_t digest[SHA256_BYTES],
                 struct failure *failure) {
    struct progress progress = {0};
    struct sha256 hash;
    enum status status = OK;

    sha256_open(&hash, how->sha);
    while (status == OK && file->at < file->size) {
        uint64_t at = file->at, left = file->size - at;
        size_t n = left < LOAD_PIECE ? (size_t)left : LOAD_PIECE;
        tell(&progress, how->platform, file);
        status = file_read(file, how->piece, n, failure);
        if (status != OK)
            break;
        sha256_add(&hash, how->take(how->ctx, at, how->piece, n), n);
    }
    sha256_close(&hash, digest);
    if (progress.shown)
        say(how->platform, status == OK ? "\r" : "\n");
    return status;
}
