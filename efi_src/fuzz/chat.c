/* Everything that can be typed at the prompt: u8 flags, then the bytes. Two models: one works, one does not. */
#include "../engine/chat.h"
#include "disk.h"
#include "fuzz.h"
#include "tiny.h"
#include <setjmp.h>
#include <string.h>

#define WRITES 400 /* then the run is ended: replies may be a million tokens long */

static struct fuzz_input input;
static jmp_buf enough;
static unsigned writes;
static uint64_t now;
static uint32_t flags;

static void take_text(void *ctx, const char *text, size_t n) {
    volatile char sum = 0;
    (void)ctx;
    for (size_t i = 0; i < n; i++) sum = (char)(sum ^ text[i]);
    if (++writes == WRITES) longjmp(enough, 1);
}

/* Bit 0 of the flags: bytes come one by one, with nothing between. */
static int next(void *ctx) {
    static int between;
    (void)ctx;
    if (input.left == 0) return PLATFORM_END;
    if (flags & 1 && (between = !between)) return -1;
    return (int)fuzz_u8(&input);
}

static void nothing(void *ctx) { (void)ctx; }
static uint64_t clock_us(void *ctx) { return (void)ctx, now += 1000; }

static const char *name(void *ctx, size_t i) { return (void)ctx, i == 0 ? "tiny" : "broken"; }
static uint64_t bytes(void *ctx, size_t i) { return (void)ctx, i; }
static enum status open(void *ctx, size_t i, struct model *model, struct error *error) {
    struct model_files files = fuzz_tiny(i > 0);
    (void)ctx;
    return model_load(model, &files, &fuzz_platform, error);
}
static void close(void *ctx, struct model *model) { (void)ctx, model_close(model, &fuzz_platform); }

static const struct models models = {.count = 2, .name = name, .bytes = bytes, .open = open, .close = close};
static struct model model;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct platform platform = fuzz_platform;
    struct chat_host host = {.platform = &platform, .kernels = &kernels_scalar, .cores = &cores_one, .cpu = "vendor=none",
                             .version = "fuzz",
                             .settings = settings_default()};
    struct error error;
    platform.write = take_text;
    platform.read = next;
    platform.wait = platform.clear = nothing;
    platform.now_us = clock_us;
    fuzz_disk(&platform);
    host.settings.max_tokens = 1;
    host.settings.temp = 0;
    input = (struct fuzz_input){data, size};
    flags = fuzz_u8(&input);
    writes = 0;
    now = 0;
    fuzz_begin(0);
    if (setjmp(enough) == 0) {
        enum status status = chat_run(&host, &models, &model, &error);
        if (status != OK) fuzz_error(status, &error);
    }
    fuzz_end(1);
    return 0;
}
