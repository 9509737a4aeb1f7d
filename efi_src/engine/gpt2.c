/* GPT-2, a batch of tokens at a time, with a cache of keys and values. */
#include "gpt2.h"
#include "attention.h"
#include "state.h"

void gpt2_split(struct gpt2_layer *layer, const struct tensor *qkv_w, const float *qkv_b) {
    size_t width = qkv_w->cols;
    layer->q_w = tensor_rows(qkv_w, 0, width);
    layer->k_w = tensor_rows(qkv_w, width, width);
    layer->v_w = tensor_rows(qkv_w, 2 * width, width);
    layer->q_b = qkv_b;
    layer->k_b = qkv_b + width;
    layer->v_b = qkv_b + 2 * width;
}

/* Token rows + position rows -> x (m,width) */
static void embed(const struct gpt2 *model, const struct shape *c, struct state *s, const uint32_t *tokens,
                  size_t m, uint32_t pos) {
    for (size_t r = 0; r < m; r++) {
        float *row = s->x + r * c->width;
        tensor_row(&model->token, tokens[r], row);
        tensor_row(&model->position, pos + r, s->norm);
        for (size_t i = 0; i < c->width; i++) row[i] += s->norm[i];
    }
}

/* x (m,width) -> norm (m,width) */
static void norm(const struct shape *c, struct state *s, const float *w, const float *b, size_t m) {
    const struct kernels *k = s->compute.kernels;
    for (size_t r = 0; r < m; r++)
        k->layernorm(s->norm + r * c->width, s->x + r * c->width, w, b, c->width, c->eps);
}

void gpt2_forward(const struct gpt2 *model, const struct shape *c, struct state *s, const uint32_t *tokens,
                  size_t m, uint32_t pos) {
    const struct kernels *k = s->compute.kernels;
    embed(model, c, s, tokens, m, pos);
    for (size_t l = 0; l < c->layers; l++) {
        const struct gpt2_layer *w = &model->layer[l];
        const struct product qkv[] = {{&w->q_w, w->q_b, s->q}, {&w->k_w, w->k_b, s->k}, {&w->v_w, w->v_b, s->v}};
        const struct product proj = {&w->proj_w, w->proj_b, s->norm};
        const struct product up = {&w->up_w, w->up_b, s->up}, down = {&w->down_w, w->down_b, s->norm};
        norm(c, s, w->ln1_w, w->ln1_b, m);
        linear(&s->compute, qkv, 3, s->norm, m);
        attention(s, c, l, pos, m);
        linear(&s->compute, &proj, 1, s->mixed, m);
        k->add(s->x, s->norm, m * c->width);
        norm(c, s, w->ln2_w, w->ln2_b, m);
        linear(&s->compute, &up, 1, s->norm, m);
        k->gelu(s->up, m * c->hidden);
        linear(&s->compute, &down, 1, s->up, m);
        k->add(s->x, s->norm, m * c->width);
    }
}

void gpt2_logits(const struct gpt2 *model, const struct shape *c, struct state *s, size_t row) {
    const struct product head = {&model->head, NULL, s->logits};
    s->compute.kernels->layernorm(s->norm, s->x + row * c->width, model->norm_w, model->norm_b, c->width, c->eps);
    linear(&s->compute, &head, 1, s->norm, 1);
}
