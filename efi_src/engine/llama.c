/* Llama, a batch of tokens at a time, with a cache of keys and values. */
#include "llama.h"
#include "attention.h"
#include "rope.h"
#include "state.h"

void llama_start(const struct llama *model, const struct shape *c, struct state *s) {
    rope_frequencies(s->frequency, c->head_width, (double)c->rope_theta, model->rope_factors);
}

/* x (m,width) -> norm (m,width) */
static void norm(const struct shape *c, struct state *s, const float *w, size_t m) {
    const struct kernels *k = s->compute.kernels;
    for (size_t r = 0; r < m; r++) k->rmsnorm(s->norm + r * c->width, s->x + r * c->width, w, c->width, c->eps);
}

/* Attention of layer l: x (m,width) -> norm (m,width) */
static void mix(const struct llama_layer *w, const struct shape *c, struct state *s, size_t l, uint32_t pos,
                size_t m) {
    const struct kernels *k = s->compute.kernels;
    const struct product qkv[] = {{&w->q, NULL, s->q}, {&w->k, NULL, s->k}, {&w->v, NULL, s->v}};
    const struct product proj = {&w->proj, NULL, s->norm};
    size_t pairs = c->head_width / 2;
    norm(c, s, w->norm1, m);
    linear(&s->compute, qkv, 3, s->norm, m);
    rope_turn(k, s->q, s->cosine, s->sine, c->heads, pairs, m);
    rope_turn(k, s->k, s->cosine, s->sine, c->kv_heads, pairs, m);
    attention(s, c, l, pos, m);
    linear(&s->compute, &proj, 1, s->mixed, m);
}

/* The feed-forward net of a layer: x (m,width) -> norm (m,width) */
static void feed(const struct llama_layer *w, const struct shape *c, struct state *s, size_t m) {
    const struct product wide[] = {{&w->gate, NULL, s->gate}, {&w->up, NULL, s->up}};
    const struct product down = {&w->down, NULL, s->norm};
    norm(c, s, w->norm2, m);
    linear(&s->compute, wide, 2, s->norm, m);
    s->compute.kernels->swiglu(s->gate, s->up, m * c->hidden);
    linear(&s->compute, &down, 1, s->gate, m);
}

void llama_forward(const struct llama *model, const struct shape *c, struct state *s, const uint32_t *tokens,
                   size_t m, uint32_t pos) {
    const struct kernels *k = s->compute.kernels;
    for (size_t r = 0; r < m; r++) tensor_row(&model->token, tokens[r], s->x + r * c->width);
    rope_table(s->cosine, s->sine, s->frequency, c->head_width / 2, pos, m);
    for (size_t l = 0; l < c->layers; l++) {
        mix(&model->layer[l], c, s, l, pos, m);
        k->add(s->x, s->norm, m * c->width);
        feed(&model->layer[l], c, s, m);
        k->add(s->x, s->norm, m * c->width);
    }
}

void llama_logits(const struct llama *model, const struct shape *c, struct state *s, size_t row) {
    const struct product head = {&model->head, NULL, s->logits};
    s->compute.kernels->rmsnorm(s->norm, s->x + row * c->width, model->norm, c->width, c->eps);
    linear(&s->compute, &head, 1, s->norm, 1);
}
