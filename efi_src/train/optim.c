#include "optim.h"

#include "../engine/math.h"

#include <stdlib.h>

struct block *optim_plan(const struct params *params, size_t *count) {
    size_t most = params->floats / OPTIM_BLOCK + params->count; /* at most one short block a tensor */
    struct block *blocks = calloc(most, sizeof *blocks);
    if (!blocks)
        return NULL;
    *count = 0;
    for (size_t i = 0; i < params->count; i++) {
        const struct parameter *t = &params->tensor[i];
        size_t end = t->at + t->rows * t->cols;
        for (size_t at = t->at; at < end; at += OPTIM_BLOCK) {
            size_t n = end - at < OPTIM_BLOCK ? end - at : OPTIM_BLOCK;
            blocks[(*count)++] = (struct block){at, n, t->matrix};
        }
    }
    return blocks;
}

double optim_lr(uint64_t step, uint64_t steps, uint64_t warmup, double peak) {
    if (step < warmup)
        return peak * (double)step / (double)warmup;
    if (steps <= warmup)
        return peak;
    double done = (double)(step - warmup) / (double)(steps - warmup);
    double cosine = 0.5 * (1.0 + m_cos(M_PI_D * done));
    return peak * (OPTIM_LAST_LR + (1.0 - OPTIM_LAST_LR) * cosine);
}

/* Eight running sums in double, folded in order. */
static double squares_of(const float *x, size_t n) {
    double lane[8] = {0}, total = 0.0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t l = 0; l < 8; l++)
            lane[l] += (double)x[i + l] * (double)x[i + l];
    for (; i < n; i++)
        lane[i % 8] += (double)x[i] * (double)x[i];
    for (size_t l = 0; l < 8; l++)
        total += lane[l];
    return total;
}

double optim_combine(const struct kernels *k, float *const *gradients, size_t count,
                     const struct block *block) {
    float *total = gradients[0] + block->at;
    for (size_t i = 1; i < count; i++)
        k->add(total, gradients[i] + block->at, block->n);
    return squares_of(total, block->n);
}

struct adamw optim_step(uint64_t step, double lr, double decay, double squares) {
    double norm = m_sqrt(squares);
    return (struct adamw){
        .grad_scale = (float)(norm > OPTIM_CLIP ? OPTIM_CLIP / norm : 1.0),
        .beta1 = (float)OPTIM_BETA1,
        .beta2 = (float)OPTIM_BETA2,
        .keep1 = (float)(1.0 - OPTIM_BETA1),
        .keep2 = (float)(1.0 - OPTIM_BETA2),
        .fix1 = (float)(1.0 / (1.0 - m_pow(OPTIM_BETA1, (double)step))),
        .fix2 = (float)(1.0 / (1.0 - m_pow(OPTIM_BETA2, (double)step))),
        .lr = (float)lr,
        .eps = (float)OPTIM_EPS,
        .decay = (float)(lr * decay),
    };
}
