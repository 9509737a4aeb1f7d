/* Loads each model of a list, in memory of exactly its size, and runs those that load for a few tokens.
 * stdin: for each, u64 length of the model and of its tokenizer (0: none), and the bytes of both. stdout: for each,
 * a line "code text". */
#define _POSIX_C_SOURCE 200112L
#include "engine/generate.h"
#include "kernels/kernels.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct model model;

static void *take(void *ctx, size_t bytes) {
    void *memory;
    (void)ctx;
    return posix_memalign(&memory, 64, bytes) == 0 ? memset(memory, 0, bytes) : NULL;
}

static void give(void *ctx, void *memory, size_t bytes) {
    (void)ctx, (void)bytes;
    free(memory);
}

static const struct platform platform = {.alloc = take, .release = give};

/* The last token of the vocabulary in a batch with the first, and once more at the end of the context. */
static void run(void) {
    const struct session_setup setup = {.model = &model, .kernels = &kernels_scalar, .cores = &cores_one, .batch = 2};
    struct arena_plan plan;
    struct arenas arenas = {.kv = {0}};
    struct session session;
    struct error error;
    uint32_t last = model.shape.context - 1, tokens[] = {model.shape.vocab - 1, 0};
    if (session_plan(&plan, &setup, 0, &error) != OK || plan.kv > 1 << 26 || plan.acts > 1 << 26) return;
    if (arenas_open(&arenas, &plan, &platform, &error) == OK && session_open(&session, &setup, &arenas, &error) == OK) {
        model_run(&model, &session.state, tokens, session.state.batch, 0);
        model_logits(&model, &session.state, session.state.batch - 1);
        model_run(&model, &session.state, tokens, 1, last);
        if (model.architecture == MODEL_LLAMA) model_run(&model, &session.state, tokens, 1, last + 1);
    }
    arenas_close(&arenas, &platform);
}

static unsigned char *read_bytes(uint64_t size) {
    unsigned char *bytes = size > 0 ? malloc(size) : NULL;
    if (size > 0 && (!bytes || fread(bytes, 1, size, stdin) != size)) exit(1);
    return bytes;
}

int main(void) {
    uint64_t size[2];
    while (fread(size, sizeof size, 1, stdin) == 1) {
        struct error error = {.code = OK, .text = ""};
        unsigned char *bytes = read_bytes(size[0]), *tokenizer = read_bytes(size[1]);
        struct pieces file = pieces_one(bytes, size[0]), words = pieces_one(tokenizer, size[1]);
        struct model_files files = {.parts = &file, .count = 1, .tokenizer = tokenizer ? &words : NULL};
        enum status status = model_load(&model, &files, &platform, &error);
        if (status == OK) {
            run();
            model_close(&model, &platform);
        }
        if (status != error.code) return 1; /* the text belongs to the status */
        printf("%d %s\n", (int)status, error.text);
        free(bytes);
        free(tokenizer);
    }
    return 0;
}
