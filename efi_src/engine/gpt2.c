/* GPT-2, one token at a time, with a cache of keys and values. */
#include "gpt2.h"
#include "math.h"

#define ALIGN 64

/* Adds room for n floats, rounded up to 64 bytes, to *total; 0 when that does not fit. */
static int reserve(size_t *total, size_t n) {
    size_t bytes;
    if (__builtin_mul_overflow(n, sizeof(float), &bytes)) return 0;
    if (__builtin_add_overflow(bytes, (size_t)(ALIGN - 1), &bytes)) return 0;
    return !__builtin_add_overflow(*total, bytes & ~(size_t)(ALIGN - 1), total);
}

static float *carve(char **at, size_t n) {
    float *part = (float *)(void *)*at;
    *at += (n * sizeof(float) + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    return part;
}

/* layers * context * width: the floats of the keys, and of the values; 0 when it overflows. */
static size_t kv_floats(const struct gpt2_config *config) {
    size_t n;
    if (__builtin_mul_overflow((size_t)config->layers, (size_t)config->context, &n)) return 0;
    if (__builtin_mul_overflow(n, (size_t)config->width, &n)) return 0;
    return n;
}

size_t gpt2_kv_bytes(const struct gpt2_config *config) {
    size_t n = kv_floats(config), total = 0;
    if (n == 0 || !reserve(&total, n) || !reserve(&total, n)) return 0;
    return total;
}

size_t gpt2_act_bytes(const struct gpt2_config *config) {
    size_t width = config->width, total = 0;
    int fits = reserve(&total, width)                /* x */
               && reserve(&total, width)             /* norm */
               && reserve(&total, 3 * width)         /* qkv */
               && reserve(&total, config->context)   /* att */
               && reserve(&total, width)             /* mixed */
               && reserve(&total, config->hidden)    /* wide */
               && reserve(&total, config->vocab);    /* logits */
    return fits ? total : 0;
}

void gpt2_state_init(struct gpt2_state *state, const struct gpt2_config *config, void *kv, void *acts) {
    char *at = kv;
    state->keys = carve(&at, kv_floats(config));
    state->values = carve(&at, kv_floats(config));
    at = acts;
    state->x = carve(&at, config->width);
    state->norm = carve(&at, config->width);
    state->qkv = carve(&at, 3 * (size_t)config->width);
    state->att = carve(&at, config->context);
    state->mixed = carve(&at, config->width);
    state->wide = carve(&at, config->hidden);
    state->logits = carve(&at, config->vocab);
}

/* Causal self-attention of layer l at `pos`: state->qkv (3*width) -> state->mixed (width) */
static void attend(const struct gpt2_config *c, struct gpt2_state *s, const struct kernels *k, size_t l,
                   size_t pos) {
    size_t head_width = c->width / c->heads;
    float scale = 1.0f / m_sqrtf((float)head_width);
    for (size_t h = 0; h < c->heads; h++) {
        const float *q = s->qkv + h * head_width;
        const float *new_key = q + c->width, *new_value = q + 2 * (size_t)c->width;
        size_t at = (l * c->heads + h) * c->context * head_width;
        float *keys = s->keys + at, *values = s->values + at; /* (context, head_width) */
        for (size_t i = 0; i < head_width; i++) {
            keys[pos * head_width + i] = new_key[i];
            values[pos * head_width + i] = new_value[i];
        }
        k->matvec(s->att, keys, q, NULL, pos + 1, head_width); /* (pos+1,hw) @ (hw) */
        k->scale(s->att, scale, pos + 1);
        k->softmax(s->att, pos + 1);
        k->mix(s->mixed + h * head_width, s->att, values, pos + 1, head_width, head_width);
    }
}

void gpt2_forward(const struct gpt2 *model, struct gpt2_state *s, const struct kernels *k, uint32_t token,
                  uint32_t pos, int want_logits) {
    const struct gpt2_config *c = &model->config;
    size_t width = c->width, hidden = c->hidden;
    const float *token_row = model->token + token * width, *pos_row = model->position + pos * width;
    for (size_t i = 0; i < width; i++) s->x[i] = token_row[i] + pos_row[i];
    for (size_t l = 0; l < c->layers; l++) {
        const struct gpt2_layer *w = &model->layer[l];
        k->layernorm(s->norm, s->x, w->ln1_w, w->ln1_b, width, c->eps);
        k->matvec(s->qkv, w->qkv_w, s->norm, w->qkv_b, 3 * width, width);
        attend(c, s, k, l, pos);
        k->matvec(s->norm, w->proj_w, s->mixed, w->proj_b, width, width);
        k->add(s->x, s->norm, width);
        k->layernorm(s->norm, s->x, w->ln2_w, w->ln2_b, width, c->eps);
        k->matvec(s->wide, w->up_w, s->norm, w->up_b, hidden, width);
        k->gelu(s->wide, hidden);
        k->matvec(s->norm, w->down_w, s->wide, w->down_b, width, hidden);
        k->add(s->x, s->norm, width);
    }
    if (!want_logits) return;
    k->layernorm(s->norm, s->x, model->norm_w, model->norm_b, width, c->eps);
    k->matvec(s->logits, model->head, s->norm, NULL, c->vocab, width);
}
