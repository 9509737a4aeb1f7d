/* One list of what is carved serves to size and to carve. */
#include "state.h"

/* What has been asked for so far; with an arena it is taken too. */
struct carver {
    struct arena *arena; /* NULL: only count */
    size_t bytes;        /* saturates */
    int missing;
};

/* n * each elements of `size` bytes */
static void *carve(struct carver *c, size_t n, size_t each, size_t size) {
    size_t count;
    if (__builtin_mul_overflow(n, each, &count)) count = SIZE_MAX;
    c->bytes = arena_sum(c->bytes, arena_need(count, size));
    void *part = c->arena ? arena_take(c->arena, count, size) : NULL;
    c->missing |= !part;
    return part;
}

static float *floats(struct carver *c, size_t n, size_t each) { return carve(c, n, each, sizeof(float)); }

static void carve_kv(struct state *s, const struct shape *shape, struct carver *c) {
    size_t heads = (size_t)shape->layers * shape->kv_heads; /* both of 32 bits */
    size_t each = (size_t)shape->context * shape->head_width;
    s->keys = floats(c, heads, each);
    s->values = floats(c, heads, each);
}

static void carve_acts(struct state *s, const struct shape *shape, unsigned cores, struct carver *c) {
    size_t batch = s->batch, pairs = shape->head_width / 2;
    size_t wide = (size_t)shape->heads * shape->head_width, narrow = (size_t)shape->kv_heads * shape->head_width;
    size_t widest = wide > shape->hidden ? wide : shape->hidden;
    if (widest < shape->width) widest = shape->width;
    s->x = floats(c, batch, shape->width);
    s->norm = floats(c, batch, shape->width);
    s->q = floats(c, batch, wide);
    s->mixed = floats(c, batch, wide);
    s->k = floats(c, batch, narrow);
    s->v = floats(c, batch, narrow);
    s->gate = floats(c, batch, shape->hidden);
    s->up = floats(c, batch, shape->hidden);
    s->scores = floats(c, cores, shape->context);
    s->cosine = floats(c, batch, pairs);
    s->sine = floats(c, batch, pairs);
    s->frequency = carve(c, 1, pairs, sizeof(double));
    s->logits = floats(c, 1, shape->vocab);
    s->compute.quants = carve(c, batch, widest, 1);
    s->compute.quant_scales = floats(c, batch, widest / QUANT_BLOCK);
}

size_t state_kv_bytes(const struct shape *shape) {
    struct state unused;
    struct carver c = {.arena = NULL};
    carve_kv(&unused, shape, &c);
    return c.bytes;
}

size_t state_act_bytes(const struct shape *shape, size_t batch, unsigned cores) {
    struct state unused = {.batch = batch};
    struct carver c = {.arena = NULL};
    carve_acts(&unused, shape, cores, &c);
    return c.bytes;
}

int state_open(struct state *s, const struct shape *shape, size_t batch, const struct kernels *kernels,
               const struct cores *cores, struct arena *kv, struct arena *acts) {
    struct carver from_kv = {.arena = kv}, from_acts = {.arena = acts};
    *s = (struct state){.compute = {.kernels = kernels, .cores = cores}, .batch = batch};
    carve_kv(s, shape, &from_kv);
    carve_acts(s, shape, cores->count, &from_acts);
    return !from_kv.missing && !from_acts.missing;
}
