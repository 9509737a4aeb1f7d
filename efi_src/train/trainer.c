#include "trainer.h"

#include <stdlib.h>
#include <string.h>

/* Rows that go through the model together: enough to use each weight often, few enough to stay in
 * a core's cache. */
#define PIECE_TOKENS 128

static void *zeroed(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - 64)
        return NULL;
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

static float *floats(const struct trainer *t) { return zeroed(t->params.floats, sizeof(float)); }

static bool allocate(struct trainer *t) {
    const struct options *o = &t->options;
    t->piece = o->config.context < PIECE_TOKENS ? PIECE_TOKENS / o->config.context : 1;
    t->chunks = o->batch < CHUNKS_MAX ? o->batch : CHUNKS_MAX;
    bool ok = (t->weights = floats(t)) && (t->moment1 = floats(t)) && (t->moment2 = floats(t))
              && (t->transposed = floats(t)) && (t->blocks = optim_plan(&t->params, &t->block_count))
              && (t->squares = zeroed(t->block_count, sizeof *t->squares))
              && (t->losses = zeroed(o->batch, sizeof *t->losses))
              && (t->windows = zeroed(o->batch, sizeof *t->windows))
              && (t->work = zeroed(o->threads, sizeof *t->work));
    for (size_t c = 0; ok && c < t->chunks; c++)
        ok = (t->gradient[c] = floats(t)) != NULL;
    for (size_t i = 0; ok && i < o->threads; i++)
        ok = work_alloc(&t->work[i], &t->params, t->piece);
    return ok;
}

enum status trainer_start(struct trainer *t, const struct options *options, const struct kernels *kernels,
                          struct error *error) {
    *t = (struct trainer){.options = *options};
    const struct options *o = &t->options;
    if (!params_plan(&t->params, &o->config))
        return fail_with(error, E_MEMORY, "a model of this size does not fit into an address space");
    uint32_t vocab = o->config.vocab;
    enum status status = tokens_load(&t->train, o->train, vocab, (size_t)o->config.context + 1, error);
    if (status == OK)
        status = tokens_load(&t->val, o->val, vocab, 2, error);
    if (status != OK)
        return status;
    if (!allocate(t))
        return fail_with(error, E_MEMORY, "not enough memory for %zu parameters, batch %zu, context %zu",
                    t->params.floats, (size_t)o->batch, (size_t)o->config.context);
    t->pool = pool_start(o->threads);
    if (!t->pool)
        return fail_with(error, E_IO, "cannot start %zu threads", (size_t)o->threads);
    t->model.params = &t->params;
    t->model.k = kernels;
    params_view(&t->params, t->weights, &t->model.w);
    params_view(&t->params, t->transposed, &t->model.wt);
    params_init(&t->params, t->weights, o->seed);
    return OK;
}

void trainer_stop(struct trainer *t) {
    pool_stop(t->pool);
    for (size_t i = 0; t->work && i < t->options.threads; i++)
        work_free(&t->work[i]);
    for (size_t c = 0; c < CHUNKS_MAX; c++)
        free(t->gradient[c]);
    void *rest[] = {t->weights, t->moment1, t->moment2, t->transposed, t->work,
                    t->blocks,  t->squares, t->losses,  t->windows};
    for (size_t i = 0; i < sizeof rest / sizeof rest[0]; i++)
        free(rest[i]);
    buffer_free(&t->log);
    buffer_free(&t->samples);
    tokens_free(&t->train);
    tokens_free(&t->val);
}
