/* The line editor over bytes that may be anything, in memory of exactly its size. stdin: for each case u64 size of the
 * line, u64 size of the history, u64 k (lineedit_show is called after every k-th byte; 0: only at the end), u64 us that
 * pass between two bytes, u64 length and the bytes; a line that ends in '\' is continued. stdout: u64 length and the echo; u64 count and so many texts
 * that were submitted, u64 length and bytes each, with bit 63 set when it was too long; then the last line: u64 length
 * and bytes, u64 where it begins, u64 cursor, u64 too_long. */
#include "engine/lineedit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct buffer {
    char *bytes;
    size_t used, size;
};

static void add(struct buffer *b, const void *bytes, size_t n) {
    while (b->size - b->used < n) {
        b->size = b->size ? 2 * b->size : 4096;
        b->bytes = realloc(b->bytes, b->size);
        if (!b->bytes) abort();
    }
    if (n > 0) memcpy(b->bytes + b->used, bytes, n);
    b->used += n;
}

static void add_u64(struct buffer *b, uint64_t value) { add(b, &value, sizeof value); }

static void write_echo(void *ctx, const char *text, size_t n) { add(ctx, text, n); }
static uint64_t clock_us;
static uint64_t now_us(void *ctx) { return (void)ctx, clock_us; }

static void put(const struct buffer *b) {
    uint64_t n = b->used;
    fwrite(&n, sizeof n, 1, stdout);
    fwrite(b->bytes, 1, b->used, stdout);
}

static void start(struct lineedit *l, struct buffer *echo) {
    add(echo, "\n> ", 3);
    lineedit_start(l, "> ");
}

static void run(size_t size, size_t history, size_t every, uint64_t tick, const char *bytes, size_t n) {
    struct buffer echo = {0}, texts = {0};
    struct platform platform = {.ctx = &echo, .write = write_echo, .now_us = now_us};
    struct lineedit l = {.platform = &platform, .line = malloc(size), .size = size, .draft = malloc(size)};
    uint64_t count = 0;
    l.history = (struct typed){.bytes = malloc(history), .size = history};
    start(&l, &echo);
    for (size_t i = 0; i < n; i++, clock_us += tick) {
        enum line_event event = lineedit_push(&l, (uint8_t)bytes[i]);
        if (event == LINE_READY && !l.too_long && l.used > l.base && l.line[l.used - 1] == '\\') {
            add(&echo, ". ", 2);
            lineedit_continue(&l, ". ");
        } else if (event == LINE_READY) {
            add_u64(&texts, l.used | (uint64_t)l.too_long << 63);
            add(&texts, l.line, l.used);
            count++;
            start(&l, &echo);
        } else if (event == LINE_CANCEL) {
            start(&l, &echo);
        }
        if (every > 0 && i % every == 0) lineedit_show(&l);
    }
    lineedit_show(&l);
    put(&echo);
    fwrite(&count, sizeof count, 1, stdout);
    fwrite(texts.bytes, 1, texts.used, stdout);
    texts.used = 0;
    add_u64(&texts, l.used);
    add(&texts, l.line, l.used);
    add_u64(&texts, l.base);
    add_u64(&texts, l.cursor);
    add_u64(&texts, (uint64_t)l.too_long);
    fwrite(texts.bytes, 1, texts.used, stdout);
    free(echo.bytes), free(texts.bytes), free(l.line), free(l.draft), free(l.history.bytes);
}

int main(void) {
    uint64_t head[5];
    while (fread(head, sizeof head, 1, stdin) == 1) {
        char *bytes = malloc(head[4]);
        if (fread(bytes, 1, head[4], stdin) != head[4]) return 1;
        run(head[0], head[1], head[2], head[3], bytes, head[4]);
        free(bytes);
    }
    return 0;
}
