/* Weight matrices. */
#include "tensor.h"
#include "../kernels/quant.h"

/* Bytes of one row: rows lie one after the other, without padding. */
static size_t row_bytes(const struct tensor *t) {
    switch (t->type) {
    case TENSOR_F32: return t->cols * sizeof(float);
    case TENSOR_F16: return t->cols * sizeof(uint16_t);
    case TENSOR_Q8_0: return t->cols / QUANT_BLOCK * sizeof(struct q8_0);
    case TENSOR_Q4_0: return t->cols / QUANT_BLOCK * sizeof(struct q4_0);
    default: return t->cols; /* TENSOR_Q8_G */
    }
}

size_t tensor_bytes(const struct tensor *t) { return t->rows * row_bytes(t); }

size_t tensor_scale_bytes(const struct tensor *t) {
    return t->type == TENSOR_Q8_G ? t->rows * (t->cols / t->group) * sizeof(float) : 0;
}

const char *tensor_type_name(enum tensor_type type) {
    static const char *const names[] = {"F32", "F16", "Q8_0", "Q4_0", "Q8"};
    return names[type];
}

struct tensor tensor_rows(const struct tensor *t, size_t from, size_t rows) {
    struct tensor part = *t;
    part.rows = rows;
    part.data = (const char *)t->data + from * row_bytes(t);
    if (t->type == TENSOR_Q8_G) part.scales = t->scales + from * (t->cols / t->group);
    return part;
}

static float half_at(const uint8_t d[2]) { return quant_half((uint16_t)(d[0] | d[1] << 8)); }

static void q8_0_row(const struct q8_0 *w, size_t blocks, float *out) {
    for (size_t b = 0; b < blocks; b++, out += QUANT_BLOCK) {
        float d = half_at(w[b].d);
        for (size_t i = 0; i < QUANT_BLOCK; i++) out[i] = d * (float)w[b].q[i];
    }
}

static void q4_0_row(const struct q4_0 *w, size_t blocks, float *out) {
    for (size_t b = 0; b < blocks; b++, out += QUANT_BLOCK) {
        float d = half_at(w[b].d);
        for (size_t i = 0; i < QUANT_BLOCK / 2; i++) {
            out[i] = d * (float)((int)(w[b].q[i] & 15) - 8);
            out[i + QUANT_BLOCK / 2] = d * (float)((int)(w[b].q[i] >> 4) - 8);
        }
    }
}

void tensor_row(const struct tensor *t, size_t row, float *out) {
    struct tensor one = tensor_rows(t, row, 1);
    size_t n = t->cols;
    const float *floats = one.data;
    const uint16_t *halves = one.data;
    const int8_t *bytes = one.data;
    switch (t->type) {
    case TENSOR_F32:
        for (size_t i = 0; i < n; i++) out[i] = floats[i];
        break;
    case TENSOR_F16:
        for (size_t i = 0; i < n; i++) out[i] = quant_half(halves[i]);
        break;
    case TENSOR_Q8_0: q8_0_row(one.data, n / QUANT_BLOCK, out); break;
    case TENSOR_Q4_0: q4_0_row(one.data, n / QUANT_BLOCK, out); break;
    case TENSOR_Q8_G:
        for (size_t i = 0; i < n; i++) out[i] = one.scales[i / t->group] * (float)bytes[i];
        break;
    }
}
