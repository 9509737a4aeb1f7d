/* Causal attention of one head, ATTENTION_BLOCK rows of scores at a time: rows i0..i1 need the
 * keys 0..i1-1 alone. */
#include "model.h"

#include "../engine/math.h"

#include <string.h>

/* (tokens, n; row stride `stride`) -> (n, tokens), times `factor` */
static void turn(float *to, const float *from, size_t tokens, size_t n, size_t stride, float factor) {
    for (size_t t0 = 0; t0 < tokens; t0 += 16)
        for (size_t i = 0; i < n; i++)
            for (size_t t = t0; t < t0 + 16 && t < tokens; t++)
                to[i * tokens + t] = from[t * stride + i] * factor;
}

static float score_scale(size_t head_width) { return (float)(1.0 / m_sqrt((double)head_width)); }

void attention_forward(const struct model *model, struct work *work, const float *qkv, float *probs,
                       float *mixed, size_t tokens) {
    const struct kernels *k = model->k;
    size_t width = model->params->config.width, stride = 3 * width;
    size_t n = width / model->params->config.heads;
    const float *keys = qkv + width, *values = qkv + 2 * width;
    turn(work->turned, keys, tokens, n, stride, score_scale(n));
    for (size_t i0 = 0; i0 < tokens; i0 += ATTENTION_BLOCK) {
        size_t rows = tokens - i0 < ATTENTION_BLOCK ? tokens - i0 : ATTENTION_BLOCK, cols = i0 + rows;
        float *p = probs + i0 * tokens;
        k->gemm(p, tokens, qkv + i0 * stride, stride, 1, work->turned, tokens, rows, cols, n, 0);
        for (size_t r = 0; r < rows; r++) {
            size_t seen = i0 + r + 1;
            k->softmax(p + r * tokens, seen);
            memset(p + r * tokens + seen, 0, (cols - seen) * sizeof(float));
        }
        k->gemm(mixed + i0 * width, width, p, tokens, 1, values, stride, rows, n, cols, 0);
    }
}

void attention_backward(const struct model *model, struct work *work, const float *qkv, const float *probs,
                        const float *dmixed, float *dqkv, size_t tokens) {
    const struct kernels *k = model->k;
    size_t width = model->params->config.width, stride = 3 * width;
    size_t n = width / model->params->config.heads;
    const float *keys = qkv + width, *values = qkv + 2 * width;
    float *dkeys = dqkv + width, *dvalues = dqkv + 2 * width;
    float *dp = work->dprobs, factor = score_scale(n);
    turn(work->turned, values, tokens, n, stride, 1.0f);
    /* From the last block, which reaches every key, so that it can overwrite and the others add. */
    size_t blocks = (tokens + ATTENTION_BLOCK - 1) / ATTENTION_BLOCK;
    for (size_t b = blocks; b-- > 0;) {
        size_t i0 = b * ATTENTION_BLOCK;
        size_t rows = tokens - i0 < ATTENTION_BLOCK ? tokens - i0 : ATTENTION_BLOCK, cols = i0 + rows;
        const float *p = probs + i0 * tokens, *dm = dmixed + i0 * width;
        int add = b + 1 < blocks;
        k->gemm(dp, cols, dm, width, 1, work->turned, tokens, rows, cols, n, 0);
        k->gemm(dvalues, stride, p, 1, tokens, dm, width, cols, n, rows, add);
        for (size_t r = 0; r < rows; r++) {
            size_t seen = i0 + r + 1;
            k->softmax_backward(dp + r * cols, p + r * tokens, seen);
            memset(dp + r * cols + seen, 0, (cols - seen) * sizeof(float));
        }
        k->scale(dp, factor, rows * cols);
        k->gemm(dqkv + i0 * stride, stride, dp, cols, 1, keys, stride, rows, n, cols, 0);
        k->gemm(dkeys, stride, dp, 1, cols, qkv + i0 * stride, stride, cols, n, rows, add);
    }
}
