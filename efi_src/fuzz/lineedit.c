/* Typed, pasted and escape bytes: u8 the line's size, u8 flags, then bytes. */
#include "../engine/lineedit.h"
#include "fuzz.h"
#include <stdlib.h>

static uint64_t now;

static void echo(void *ctx, const char *text, size_t n) {
    volatile char sum = 0;
    (void)ctx;
    for (size_t i = 0; i < n; i++) sum = (char)(sum ^ text[i]);
}
static uint64_t clock_us(void *ctx) { return (void)ctx, now += 1000; }

static const struct platform platform = {.write = echo, .now_us = clock_us};

static char history[512], draft[256];

static void start(struct lineedit *l) {
    l->draft = draft;
    if (!l->history.bytes) l->history = (struct typed){.bytes = history, .size = sizeof history};
    lineedit_start(l, "> ");
}

static void end(struct lineedit *l, enum line_event event, uint32_t flags) {
    if (event == LINE_READY && !l->literal) typed_add(&l->history, l->line, l->used);
    if (event == LINE_READY && flags & 4) lineedit_continue(l, ". ");
    else lineedit_start(l, "> ");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    size_t room = fuzz_u8(&in);
    uint32_t flags = fuzz_u8(&in);
    struct lineedit l = {.platform = &platform, .line = malloc(room), .size = room, .literal = flags & 1};
    FUZZ_PROMISE(l.line);
    now = 0;
    start(&l);
    while (in.left > 0) {
        uint8_t byte = (uint8_t)fuzz_u8(&in);
        if (flags & 2 && byte == 0x1B) now += 2 * ESCAPE_US;
        enum line_event event = lineedit_push(&l, byte);
        FUZZ_PROMISE(l.used <= l.size);
        if (event != LINE_MORE) end(&l, event, flags);
        if (in.left % 8 == 0) lineedit_show(&l);
    }
    lineedit_finish(&l);
    FUZZ_PROMISE(l.used <= l.size);
    free(l.line);
    return 0;
}
