/* Loads models from pieces of memory of exactly their sizes, through a platform that counts what it gives and can have
 * little or fail. stdin, for each case: u64 parts, bytes of the tokenizer (0: none), which allocation fails (0: none),
 * memory that is free (0: not known); for each part u64 cuts, then the cuts and at last its size, and its bytes; the
 * tokenizer. stdout, for each, a line "code bytes-kept allocations context digest-of-logits text". */
#define _POSIX_C_SOURCE 200112L
#include "engine/generate.h"
#include "kernels/kernels.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS 12

static struct model model;
static uint64_t held, taken, fails_at, free_bytes;

static void *take(void *ctx, size_t bytes) {
    void *memory;
    (void)ctx;
    if (++taken == fails_at || posix_memalign(&memory, 64, bytes) != 0) return NULL;
    held += bytes;
    return memset(memory, 0, bytes);
}

static void give(void *ctx, void *memory, size_t bytes) {
    (void)ctx;
    held -= bytes;
    free(memory);
}

static uint64_t left(void *ctx, uint64_t *largest) { return (void)ctx, *largest = free_bytes; }

static void get(void *to, size_t n) {
    if (fread(to, 1, n, stdin) != n) exit(1);
}

static struct pieces get_file(void) {
    struct pieces file = {.count = 0};
    uint64_t cuts, end[PIECES_MOST], at = 0;
    get(&cuts, sizeof cuts);
    if (cuts >= PIECES_MOST) exit(1);
    get(end, (cuts + 1) * sizeof end[0]);
    for (uint64_t i = 0; i <= cuts; at = end[i++]) {
        void *piece;
        if (posix_memalign(&piece, 64, end[i] - at) != 0) exit(1);
        get(piece, end[i] - at);
        pieces_add(&file, piece, end[i] - at);
    }
    return file;
}

static void drop(struct pieces *file) {
    for (unsigned i = 0; i < file->count; i++) free((void *)file->piece[i].bytes);
}

/* FNV-1a of the logits after each of some tokens */
static enum status run(const struct platform *platform, uint64_t *digest, struct error *error) {
    const struct session_setup setup = {
        .model = &model, .kernels = &kernels_scalar, .cores = &cores_one, .batch = 1, .platform = platform};
    struct arena_plan plan;
    struct arenas arenas;
    static struct session session;
    enum status status = session_plan(&plan, &setup, 0, error);
    if (status == OK) status = arenas_open(&arenas, &plan, platform, error);
    if (status != OK) return status;
    status = session_open(&session, &setup, &arenas, error);
    for (uint32_t pos = 0; status == OK && pos < TOKENS; pos++) {
        uint32_t token = pos * 7 % model.shape.vocab, bits;
        model_run(&model, &session.state, &token, 1, pos);
        model_logits(&model, &session.state, 0);
        for (uint32_t i = 0; i < model.shape.vocab; i++) {
            memcpy(&bits, &session.state.logits[i], sizeof bits);
            *digest = (*digest ^ bits) * 0x100000001B3u;
        }
    }
    arenas_close(&arenas, platform);
    return status;
}

int main(void) {
    struct { uint64_t parts, tokenizer, fails_at, free_bytes; } head;
    while (fread(&head, sizeof head, 1, stdin) == 1) {
        struct platform platform = {.alloc = take, .release = give, .memory_free = head.free_bytes ? left : NULL};
        struct pieces part[GGUF_MAX_PARTS + 1], words = {.count = 0};
        struct error error = {.code = OK, .text = ""};
        uint64_t digest = 0xCBF29CE484222325u;
        if (head.parts > GGUF_MAX_PARTS + 1) return 1;
        for (uint64_t i = 0; i < head.parts; i++) part[i] = get_file();
        if (head.tokenizer > 0) {
            void *bytes = malloc(head.tokenizer);
            get(bytes, head.tokenizer);
            words = pieces_one(bytes, head.tokenizer);
        }
        struct model_files files = {
            .parts = part, .count = head.parts, .tokenizer = words.count > 0 ? &words : NULL};
        taken = 0, fails_at = head.fails_at, free_bytes = head.free_bytes;
        enum status status = model_load(&model, &files, &platform, &error);
        if (status == OK) {
            status = run(&platform, &digest, &error);
            model_close(&model, &platform);
        }
        if (status != error.code) return 1;
        printf("%d %" PRIu64 " %" PRIu64 " %" PRIu32 " %016" PRIx64 " %s\n", (int)status, held, taken,
               model.shape.context, digest, error.text);
        for (uint64_t i = 0; i < head.parts; i++) drop(&part[i]);
        drop(&words);
    }
    return 0;
}
