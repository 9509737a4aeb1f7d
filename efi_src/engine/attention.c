/* Attention, its heads and tokens dealt out over the cores. */
#include "attention.h"
#include "math.h"

struct work {
    struct state *state;
    const struct shape *shape;
    const float *keys, *values; /* (kv_heads, context, head_width) of the layer */
    uint32_t pos;
    size_t m;
};

/* rows (m, kv_heads * head_width) -> the slots of their positions in cache (kv_heads, context, head_width) */
static void store(float *cache, const float *rows, const struct shape *c, uint32_t pos, size_t m) {
    size_t n = c->head_width;
    for (size_t r = 0; r < m; r++)
        for (size_t h = 0; h < c->kv_heads; h++, rows += n) {
            float *slot = cache + (h * c->context + (pos + r) % c->context) * n;
            for (size_t i = 0; i < n; i++) slot[i] = rows[i];
        }
}

/* Head h of token r, with room for `context` scores. */
static void attend(const struct work *k, float *scores, size_t h, size_t r) {
    const struct shape *c = k->shape;
    const struct kernels *kernels = k->state->compute.kernels;
    size_t n = c->head_width, seen = k->pos + r + 1;
    size_t kv_head = h / (c->heads / c->kv_heads) * c->context * n, at = (r * c->heads + h) * n;
    if (seen > c->context) seen = c->context; /* every slot is in use */
    kernels->matvec(scores, k->keys + kv_head, k->state->q + at, NULL, seen, n); /* (seen,n) @ (n) */
    kernels->scale(scores, 1.0f / m_sqrtf((float)n), seen);
    kernels->softmax(scores, seen);
    kernels->mix(k->state->mixed + at, scores, k->values + kv_head, seen, n, n);
}

static void attend_share(void *arg, unsigned part, unsigned parts) {
    const struct work *k = arg;
    float *scores = k->state->scores + (size_t)part * k->shape->context;
    size_t from, to;
    cores_share(k->m * k->shape->heads, 1, part, parts, &from, &to);
    for (size_t i = from; i < to; i++) attend(k, scores, i / k->m, i % k->m);
}

/* Multiplications that are not worth waking another core for. */
#define SMALL 65536

void attention(struct state *s, const struct shape *c, size_t layer, uint32_t pos, size_t m) {
    size_t at = layer * c->kv_heads * c->context * c->head_width;
    struct work work = {.state = s, .shape = c, .keys = s->keys + at, .values = s->values + at, .pos = pos, .m = m};
    size_t seen = pos + m < c->context ? pos + m : c->context;
    store(s->keys + at, s->k, c, pos, m);
    store(s->values + at, s->v, c, pos, m);
    const struct cores *cores = s->compute.cores;
    if (cores->count == 1 || m * c->heads * c->head_width * seen <= SMALL) attend_share(&work, 0, 1);
    else cores->run(cores->ctx, attend_share, &work);
}
