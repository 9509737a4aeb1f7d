/* A llama2.c model of a token a byte, made in memory. */
#include "tiny.h"
#include <stdio.h>
#include <string.h>

enum { WIDTH = 8, HIDDEN = 8, LAYERS = 1, HEADS = 2, KV_HEADS = 1, VOCAB = 259, CONTEXT = 16, HEAD = WIDTH / HEADS };
enum {
    FLOATS = VOCAB * WIDTH + LAYERS * (2 * WIDTH + 2 * WIDTH * WIDTH + 2 * WIDTH * KV_HEADS * HEAD + 3 * WIDTH * HIDDEN)
             + WIDTH + CONTEXT * HEAD
};

static struct {
    int32_t header[7];
    float weights[FLOATS];
} file = {.header = {WIDTH, HIDDEN, LAYERS, HEADS, KV_HEADS, VOCAB, CONTEXT}};
static unsigned char tokenizer[4096];
static size_t tokenizer_size;

static void put(const void *bytes, size_t n) {
    memcpy(tokenizer + tokenizer_size, bytes, n);
    tokenizer_size += n;
}

static void put_u32(uint32_t number) { put(&number, sizeof number); }

static void put_piece(const char *text) {
    put_u32(0); /* its score */
    put_u32((uint32_t)strlen(text));
    put(text, strlen(text));
}

static void make(void) {
    char piece[8];
    uint32_t random = 1;
    for (size_t i = 0; i < FLOATS; i++) {
        random = random * 1664525u + 1013904223u;
        file.weights[i] = (float)(random >> 8) / 8388608.0f - 1.0f; /* -1 to 1 */
    }
    put_u32(7);
    put_piece("<unk>");
    put_piece("\n<s>\n");
    put_piece("\n</s>\n");
    for (unsigned byte = 0; byte < 256; byte++) {
        snprintf(piece, sizeof piece, "<0x%02X>", byte);
        put_piece(piece);
    }
}

struct model_files fuzz_tiny(int broken) {
    static struct pieces model, words;
    if (tokenizer_size == 0) make();
    model = pieces_one(&file, sizeof file - (broken ? 1 : 0));
    words = pieces_one(tokenizer, tokenizer_size);
    return (struct model_files){.parts = &model, .count = 1, .tokenizer = &words};
}
