/* The phases of a training step and of an evaluation; each is a set of numbered jobs. */
#include "trainer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void transpose_job(void *arg, size_t job, size_t thread) {
    struct trainer *t = arg;
    (void)thread;
    model_transpose(&t->model, job, t->weights, t->transposed);
}

static void chunk_job(void *arg, size_t chunk, size_t thread) {
    struct trainer *t = arg;
    size_t batch = t->options.batch, context = t->options.config.context;
    size_t from = chunk * batch / t->chunks, to = (chunk + 1) * batch / t->chunks;
    float scale = (float)(1.0 / ((double)batch * (double)context));
    struct view gradient;
    params_view(&t->params, t->gradient[chunk], &gradient);
    memset(t->gradient[chunk], 0, t->params.floats * sizeof(float));
    for (size_t s = from; s < to; s += t->piece) {
        size_t n = to - s < t->piece ? to - s : t->piece;
        model_forward(&t->model, &t->work[thread], t->windows + s, n, context, t->losses + s);
        model_backward(&t->model, &t->work[thread], t->windows + s, n, context, scale, &gradient);
    }
}

static void combine_job(void *arg, size_t job, size_t thread) {
    struct trainer *t = arg;
    (void)thread;
    t->squares[job] = optim_combine(t->model.k, t->gradient, t->chunks, &t->blocks[job]);
}

static void update_job(void *arg, size_t job, size_t thread) {
    struct trainer *t = arg;
    const struct block *b = &t->blocks[job];
    struct adamw step = t->adamw;
    (void)thread;
    if (!b->decays)
        step.decay = 0.0f;
    t->model.k->adamw(t->weights + b->at, t->moment1 + b->at, t->moment2 + b->at, t->gradient[0] + b->at,
                      b->n, &step);
}

static double sum(const double *x, size_t n) {
    double total = 0.0;
    for (size_t i = 0; i < n; i++)
        total += x[i];
    return total;
}

double trainer_step(struct trainer *t) {
    const struct options *o = &t->options;
    uint64_t step = t->step + 1;
    batch_draw(t->windows, o->batch, &t->train, o->config.context, o->seed, step);
    pool_run(t->pool, transpose_job, t, t->params.count);
    pool_run(t->pool, chunk_job, t, t->chunks);
    pool_run(t->pool, combine_job, t, t->block_count);
    double lr = optim_lr(step, o->steps, o->warmup, o->lr);
    t->adamw = optim_step(step, lr, o->decay, sum(t->squares, t->block_count));
    pool_run(t->pool, update_job, t, t->block_count);
    t->step = step;
    return sum(t->losses, o->batch) / ((double)o->batch * o->config.context);
}

/* The held-out split cut into windows, `piece` of them a job. */
struct evaluation {
    struct trainer *trainer;
    const uint16_t **windows; /* all of full length but the last, which may be shorter */
    size_t count, last;       /* windows, and tokens predicted in the last one */
    double *losses;           /* one a window */
};

static void evaluate_job(void *arg, size_t job, size_t thread) {
    struct evaluation *e = arg;
    struct trainer *t = e->trainer;
    size_t context = t->options.config.context, from = job * t->piece;
    size_t n = e->count - from < t->piece ? e->count - from : t->piece;
    const uint16_t **windows = e->windows + from;
    double *losses = e->losses + from;
    size_t full = from + n == e->count && e->last < context ? n - 1 : n;
    if (full > 0)
        model_forward(&t->model, &t->work[thread], windows, full, context, losses);
    if (full < n)
        model_forward(&t->model, &t->work[thread], windows + full, 1, e->last, losses + full);
}

enum status trainer_evaluate(struct trainer *t, double *loss, struct error *error) {
    size_t context = t->options.config.context, predicted = t->val.count - 1;
    struct evaluation e = {.trainer = t, .count = (predicted + context - 1) / context};
    e.last = predicted - (e.count - 1) * context;
    e.windows = calloc(e.count, sizeof *e.windows);
    e.losses = calloc(e.count, sizeof *e.losses);
    enum status status = OK;
    if (e.windows && e.losses) {
        for (size_t i = 0; i < e.count; i++)
            e.windows[i] = t->val.ids + i * context;
        pool_run(t->pool, transpose_job, t, t->params.count);
        pool_run(t->pool, evaluate_job, &e, (e.count + t->piece - 1) / t->piece);
        *loss = sum(e.losses, e.count) / (double)predicted;
    } else {
        status = fail_with(error, E_MEMORY, "not enough memory to evaluate %zu windows", e.count);
    }
    free(e.losses);
    free(e.windows);
    return status;
}
