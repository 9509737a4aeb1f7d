#include "params.h"

#include "rng.h"

static bool append(struct params *p, size_t rows, size_t cols, float deviation, float fill, bool matrix) {
    size_t n;
    if (__builtin_mul_overflow(rows, cols, &n) || n > SIZE_MAX / sizeof(float) / 2)
        return false;
    p->tensor[p->count++] = (struct parameter){p->floats, rows, cols, deviation, fill, matrix};
    return !__builtin_add_overflow(p->floats, n, &p->floats) && p->floats <= SIZE_MAX / sizeof(float) / 2;
}

static bool vector(struct params *p, size_t n, float fill) { return append(p, 1, n, 0.0f, fill, false); }

static bool matrix(struct params *p, size_t rows, size_t cols, float deviation) {
    return append(p, rows, cols, deviation, 0.0f, true);
}

bool params_plan(struct params *p, const struct shape *c) {
    *p = (struct params){.config = *c};
    if (c->vocab == 0 || c->context == 0 || c->layers == 0 || c->heads == 0)
        return false;
    if (c->width == 0 || c->hidden == 0 || c->layers > GPT2_MAX_LAYERS || c->width % c->heads != 0)
        return false;
    p->config.kv_heads = c->heads;
    p->config.head_width = c->width / c->heads;
    size_t width = c->width, hidden = c->hidden;
    float deviation = 0.02f;
    float residual = (float)(0.02 / m_sqrt(2.0 * c->layers));
    bool ok = matrix(p, c->vocab, width, deviation) && matrix(p, c->context, width, deviation);
    for (uint32_t l = 0; ok && l < c->layers; l++)
        ok = vector(p, width, 1.0f) && vector(p, width, 0.0f)                          /* ln1 */
             && matrix(p, 3 * width, width, deviation) && vector(p, 3 * width, 0.0f)   /* qkv */
             && matrix(p, width, width, residual) && vector(p, width, 0.0f)            /* proj */
             && vector(p, width, 1.0f) && vector(p, width, 0.0f)                       /* ln2 */
             && matrix(p, hidden, width, deviation) && vector(p, hidden, 0.0f)         /* up */
             && matrix(p, width, hidden, residual) && vector(p, width, 0.0f);          /* down */
    return ok && vector(p, width, 1.0f) && vector(p, width, 0.0f); /* norm */
}

void params_view(const struct params *p, float *base, struct view *view) {
    const struct parameter *t = p->tensor;
    view->token = base + (t++)->at;
    view->position = base + (t++)->at;
    for (uint32_t l = 0; l < p->config.layers; l++) {
        struct layer_view *v = &view->layer[l];
        float **part[PARAMS_PER_LAYER] = {&v->ln1_w, &v->ln1_b, &v->qkv_w, &v->qkv_b, &v->proj_w, &v->proj_b,
                                          &v->ln2_w, &v->ln2_b, &v->up_w,  &v->up_b,  &v->down_w, &v->down_b};
        for (size_t i = 0; i < PARAMS_PER_LAYER; i++)
            *part[i] = base + (t++)->at;
    }
    view->norm_w = base + (t++)->at;
    view->norm_b = base + t->at;
}

void params_init(const struct params *p, float *base, uint64_t seed) {
    struct rng rng = rng_stream(seed, RNG_INIT, 0);
    for (size_t i = 0; i < p->count; i++) {
        const struct parameter *t = &p->tensor[i];
        for (size_t j = 0; j < t->rows * t->cols; j++)
            base[t->at + j] = t->deviation > 0.0f ? (float)(rng_normal(&rng) * t->deviation) : t->fill;
    }
}

void transpose(float *to, const float *from, size_t rows, size_t cols) {
    enum { BLOCK = 16 };
    for (size_t i0 = 0; i0 < rows; i0 += BLOCK)
        for (size_t j = 0; j < cols; j++)
            for (size_t i = i0; i < i0 + BLOCK && i < rows; i++)
                to[j * rows + i] = from[i * cols + j];
}
