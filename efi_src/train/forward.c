#include "model.h"

#include "../engine/math.h"

#include <string.h>

/* y (rows,out) = x (rows,in) @ wt (in,out) + b (out) [+ residual (rows,out)] */
static void linear(const struct kernels *k, float *y, const float *x, const float *wt, const float *b,
                   const float *residual, size_t rows, size_t in, size_t out) {
    for (size_t r = 0; r < rows; r++) {
        float *row = y + r * out;
        memcpy(row, b, out * sizeof(float));
        if (residual)
            k->add(row, residual + r * out, out);
    }
    k->gemm(y, out, x, in, 1, wt, out, rows, out, in, 1);
}

static void norm_rows(const struct model *model, float *y, const float *x, const float *w, const float *b,
                      size_t rows) {
    size_t width = model->params->config.width;
    for (size_t r = 0; r < rows; r++)
        model->k->layernorm(y + r * width, x + r * width, w, b, width, model->params->config.eps);
}

/* x (rows,width) = token rows + position rows */
static void embed(const struct model *model, float *x, const uint16_t *const *windows, size_t sequences,
                  size_t tokens) {
    size_t width = model->params->config.width;
    for (size_t s = 0; s < sequences; s++)
        for (size_t t = 0; t < tokens; t++, x += width) {
            memcpy(x, model->w.token + windows[s][t] * width, width * sizeof(float));
            model->k->add(x, model->w.position + t * width, width);
        }
}

static void layer_forward(const struct model *model, struct work *work, uint32_t l, float *out,
                          size_t sequences, size_t tokens) {
    const struct shape *c = &model->params->config;
    const struct kernels *k = model->k;
    const struct layer_view *w = &model->w.layer[l], *wt = &model->wt.layer[l];
    struct layer_acts *a = &work->layer[l];
    size_t width = c->width, hidden = c->hidden, rows = sequences * tokens, head_width = width / c->heads;

    norm_rows(model, a->ln1, a->x, w->ln1_w, w->ln1_b, rows);
    linear(k, a->qkv, a->ln1, wt->qkv_w, w->qkv_b, NULL, rows, width, 3 * width);
    for (size_t s = 0; s < sequences; s++)
        for (size_t h = 0; h < c->heads; h++)
            attention_forward(model, work, a->qkv + s * tokens * 3 * width + h * head_width,
                              a->probs + (s * c->heads + h) * tokens * tokens,
                              a->mixed + s * tokens * width + h * head_width, tokens);
    linear(k, a->mid, a->mixed, wt->proj_w, w->proj_b, a->x, rows, width, width);
    norm_rows(model, a->ln2, a->mid, w->ln2_w, w->ln2_b, rows);
    linear(k, a->up, a->ln2, wt->up_w, w->up_b, NULL, rows, width, hidden);
    memcpy(a->wide, a->up, rows * hidden * sizeof(float));
    k->gelu(a->wide, rows * hidden);
    linear(k, out, a->wide, wt->down_w, w->down_b, a->mid, rows, hidden, width);
}

/* -log p, in double; a probability that underflowed counts as the smallest float (103 nats). */
static double surprise(float p) { return p == 0.0f ? 149.0 * 0.6931471805599453 : -m_log((double)p); }

void model_forward(const struct model *model, struct work *work, const uint16_t *const *windows,
                   size_t sequences, size_t tokens, double *loss) {
    const struct shape *c = &model->params->config;
    size_t rows = sequences * tokens, width = c->width, vocab = c->vocab;
    embed(model, work->layer[0].x, windows, sequences, tokens);
    for (uint32_t l = 0; l < c->layers; l++)
        layer_forward(model, work, l, l + 1 < c->layers ? work->layer[l + 1].x : work->x, sequences, tokens);
    norm_rows(model, work->norm, work->x, model->w.norm_w, model->w.norm_b, rows);
    model->k->gemm(work->logits, vocab, work->norm, width, 1, model->wt.token, vocab, rows, vocab, width, 0);
    float *row = work->logits;
    for (size_t s = 0; s < sequences; s++) {
        loss[s] = 0.0;
        for (size_t t = 0; t < tokens; t++, row += vocab) {
            model->k->softmax(row, vocab);
            loss[s] += surprise(row[windows[s][t + 1]]);
        }
    }
}

void model_transpose(struct model *model, size_t i, const float *weights, float *transposed) {
    const struct parameter *t = &model->params->tensor[i];
    if (t->matrix)
        transpose(transposed + t->at, weights + t->at, t->rows, t->cols);
}
