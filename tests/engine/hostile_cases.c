/* Bytes that may be anything, in memory of exactly their size, for the settings file and the ring log.
 * stdin: for each, u64 kind ('c' or 'l'), u64 length and the bytes. stdout: for 'c' a line "N problems" after
 * the problems, then the settings; for 'l' "none", or what ringlog_dump says and "next N" after one more is
 * added; then a line "--". */
#define _POSIX_C_SOURCE 200112L /* posix_memalign */
#include "engine/cfg.h"
#include "engine/ringlog.h"
#include "engine/settings.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status set(void *ctx, const char *name, const char *value, size_t n, struct error *error) {
    return settings_set(ctx, name, value, n, error);
}

static void problem(void *ctx, const char *text) {
    (void)ctx;
    puts(text);
}

static void cfg(const void *bytes, size_t size) {
    struct settings settings = settings_default();
    struct cfg_hooks hooks = {.ctx = &settings, .set = set, .problem = problem};
    printf("%zu problems\n", cfg_read(bytes, size, &hooks));
    for (size_t i = 0; setting_at(i); i++) {
        char buffer[64];
        struct text line = text_into(buffer, sizeof buffer);
        settings_show(&settings, setting_at(i)->name, &line);
        puts(buffer);
    }
}

static void write_line(void *ctx, const char *text, size_t n) { fwrite(text, 1, n, ctx); }

static void ringlog(void *bytes, size_t size) {
    struct ringlog log;
    if (!ringlog_open(&log, bytes, size)) {
        puts("none");
        return;
    }
    ringlog_dump(&log, write_line, stdout);
    ringlog_add(&log, 1, LOG_INFO, "more", 4);
    printf("next %llu\n", (unsigned long long)log.next);
}

int main(void) {
    uint64_t head[2];
    while (fread(head, sizeof head, 1, stdin) == 1) {
        void *bytes = NULL;
        if (posix_memalign(&bytes, RINGLOG_ALIGN, head[1])) return 1;
        if (fread(bytes, 1, head[1], stdin) != head[1]) return 1;
        if (head[0] == 'c') cfg(bytes, head[1]);
        else ringlog(bytes, head[1]);
        puts("--");
        free(bytes);
    }
    return 0;
}
