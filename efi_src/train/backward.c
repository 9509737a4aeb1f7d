#include "model.h"

#include <string.h>

/* dw (out,in) += dy^T @ x; db (out) += column sums of dy; dx (rows,in) = dy (rows,out) @ w (out,in) */
static void linear_backward(const struct kernels *k, float *dx, float *dw, float *db, const float *dy,
                            const float *x, const float *w, size_t rows, size_t in, size_t out) {
    k->gemm(dw, in, dy, 1, out, x, in, out, in, rows, 1);
    for (size_t r = 0; r < rows; r++)
        k->add(db, dy + r * out, out);
    k->gemm(dx, in, dy, out, 1, w, in, rows, in, out, 0);
}

/* dx += LayerNorm's gradient for dy, row by row */
static void norm_backward(const struct model *model, float *dx, float *dw, float *db, const float *dy,
                          const float *x, const float *w, size_t rows) {
    size_t width = model->params->config.width;
    for (size_t r = 0; r < rows; r++)
        model->k->layernorm_backward(dx + r * width, dw, db, dy + r * width, x + r * width, w, width,
                                     model->params->config.eps);
}

/* From work->dx, the gradient of the layer's output, to that of its input, in place. */
static void layer_backward(const struct model *model, struct work *work, uint32_t l, size_t sequences,
                           size_t tokens, struct layer_view *g) {
    const struct shape *c = &model->params->config;
    const struct kernels *k = model->k;
    const struct layer_view *w = &model->w.layer[l];
    const struct layer_acts *a = &work->layer[l];
    size_t width = c->width, hidden = c->hidden, rows = sequences * tokens, head_width = width / c->heads;

    linear_backward(k, work->dwide, g->down_w, g->down_b, work->dx, a->wide, w->down_w, rows, hidden, width);
    k->gelu_backward(work->dwide, a->up, rows * hidden);
    linear_backward(k, work->dnorm, g->up_w, g->up_b, work->dwide, a->ln2, w->up_w, rows, width, hidden);
    norm_backward(model, work->dx, g->ln2_w, g->ln2_b, work->dnorm, a->mid, w->ln2_w, rows);

    linear_backward(k, work->dnorm, g->proj_w, g->proj_b, work->dx, a->mixed, w->proj_w, rows, width, width);
    for (size_t s = 0; s < sequences; s++)
        for (size_t h = 0; h < c->heads; h++)
            attention_backward(model, work, a->qkv + s * tokens * 3 * width + h * head_width,
                               a->probs + (s * c->heads + h) * tokens * tokens,
                               work->dnorm + s * tokens * width + h * head_width,
                               work->dqkv + s * tokens * 3 * width + h * head_width, tokens);
    linear_backward(k, work->dnorm, g->qkv_w, g->qkv_b, work->dqkv, a->ln1, w->qkv_w, rows, width, 3 * width);
    norm_backward(model, work->dx, g->ln1_w, g->ln1_b, work->dnorm, a->x, w->ln1_w, rows);
}

void model_backward(const struct model *model, struct work *work, const uint16_t *const *windows,
                    size_t sequences, size_t tokens, float scale, struct view *grad) {
    const struct shape *c = &model->params->config;
    const struct kernels *k = model->k;
    size_t rows = sequences * tokens, width = c->width, vocab = c->vocab;

    float *dlogits = work->logits; /* (softmax - one hot) * scale */
    for (size_t s = 0; s < sequences; s++)
        for (size_t t = 0; t < tokens; t++)
            dlogits[(s * tokens + t) * vocab + windows[s][t + 1]] -= 1.0f;
    k->scale(dlogits, scale, rows * vocab);

    k->gemm(grad->token, width, dlogits, 1, vocab, work->norm, width, vocab, width, rows, 1);
    k->gemm(work->dnorm, width, dlogits, vocab, 1, model->w.token, width, rows, width, vocab, 0);
    memset(work->dx, 0, rows * width * sizeof(float));
    norm_backward(model, work->dx, grad->norm_w, grad->norm_b, work->dnorm, work->x, model->w.norm_w, rows);
    for (uint32_t l = c->layers; l-- > 0;)
        layer_backward(model, work, l, sequences, tokens, &grad->layer[l]);

    const float *dx = work->dx;
    for (size_t s = 0; s < sequences; s++)
        for (size_t t = 0; t < tokens; t++, dx += width) {
            k->add(grad->token + windows[s][t] * width, dx, width);
            k->add(grad->position + t * width, dx, width);
        }
}
