/* Working memory of one thread: one allocation, carved into 64-byte aligned parts. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#define ALIGN 64

/* Walks the parts twice: without `base` it only adds up, with it it hands out pointers. */
struct carver {
    char *base;
    size_t used;
    bool overflow;
};

static float *part(struct carver *c, size_t rows, size_t cols) {
    size_t bytes;
    if (__builtin_mul_overflow(rows, cols, &bytes) || __builtin_mul_overflow(bytes, sizeof(float), &bytes)
        || bytes > SIZE_MAX / 4 - c->used) {
        c->overflow = true;
        return NULL;
    }
    float *p = c->base ? (float *)(void *)(c->base + c->used) : NULL;
    c->used += (bytes + ALIGN - 1) / ALIGN * ALIGN;
    return p;
}

static void carve(struct work *w, const struct shape *c, size_t sequences, struct carver *at) {
    size_t width = c->width, hidden = c->hidden, context = c->context, rows = sequences * context;
    for (uint32_t l = 0; l < c->layers; l++) {
        struct layer_acts *a = &w->layer[l];
        a->x = part(at, rows, width);
        a->ln1 = part(at, rows, width);
        a->qkv = part(at, rows, 3 * width);
        a->probs = part(at, rows * c->heads, context);
        a->mixed = part(at, rows, width);
        a->mid = part(at, rows, width);
        a->ln2 = part(at, rows, width);
        a->up = part(at, rows, hidden);
        a->wide = part(at, rows, hidden);
    }
    w->x = part(at, rows, width);
    w->norm = part(at, rows, width);
    w->logits = part(at, rows, c->vocab);
    w->dx = part(at, rows, width);
    w->dnorm = part(at, rows, width);
    w->dqkv = part(at, rows, 3 * width);
    w->dwide = part(at, rows, hidden);
    w->turned = part(at, width / c->heads, context);
    w->dprobs = part(at, ATTENTION_BLOCK, context);
}

bool work_alloc(struct work *work, const struct params *params, size_t sequences) {
    size_t rows;
    *work = (struct work){.sequences = sequences};
    if (__builtin_mul_overflow(sequences, (size_t)params->config.context, &rows)
        || __builtin_mul_overflow(rows, (size_t)params->config.heads, &rows))
        return false;
    struct carver at = {0};
    carve(work, &params->config, sequences, &at);
    if (at.overflow)
        return false;
    work->memory = aligned_alloc(ALIGN, at.used);
    if (!work->memory)
        return false;
    memset(work->memory, 0, at.used);
    at = (struct carver){.base = work->memory};
    carve(work, &params->config, sequences, &at);
    return true;
}

void work_free(struct work *work) {
    free(work->memory);
    work->memory = NULL;
}
