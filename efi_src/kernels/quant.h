/* Block formats of ggml, and the one arithmetic that every kernel has for them.
 *
 * Activations are rounded to int8 in blocks of 32, as llama.cpp does: d = max|x| / 127 (0 for a block of zeros), rounded
 * to half precision, inverse = 127 / max|x|, q = round half to even of x * inverse, kept within -127..127. The product
 * of two blocks is exact: the int32 sum of its 32 products. A row of blocks b = 0, 1, … adds (float)sum * (scale_w * scale_x) to lane b mod 16, in that order;
 * then the lanes are folded as in kernels.h. Scales in half precision are converted exactly. */
#ifndef INGOT_QUANT_H
#define INGOT_QUANT_H

#include "../engine/math.h"
#include <stddef.h>
#include <stdint.h>

#define QUANT_BLOCK 32

struct q8_0 { /* 34 bytes, no padding: value i = d * q[i] */
    uint8_t d[2]; /* half precision, little-endian: files give no alignment */
    int8_t q[QUANT_BLOCK];
};

struct q4_0 { /* 18 bytes: value i = d * ((low nibble of q[i]) - 8) for i < 16, high nibble of q[i - 16] from 16 on */
    uint8_t d[2];
    uint8_t q[QUANT_BLOCK / 2];
};

/* m rows of n quantised activations */
struct q8_rows {
    const int8_t *q; /* (m,n) */
    const float *d;  /* (m,n/32) */
};

/* The scale of a block of activations: max / 127 in half precision, to the nearest, half to even; what that has no number
 * for (above 65504, NaN) as it is. */
static inline float quant_scale(float max) {
    float d = max / 127.0f;
    uint32_t bits = m_bits_f(d);
    if (!(d <= 65504.0f))
        return d;
    if (d < 6.103515625e-5f) /* subnormal there: a multiple of 2^-24, which is the step of floats from 0.5 on */
        return (d + 0.5f) - 0.5f;
    return m_from_bits_f((bits + 0xfffu + (bits >> 13 & 1u)) & ~0x1fffu);
}

/* Half precision to float, exactly (subnormals, infinities and NaNs as F16C does). */
float quant_half(uint16_t half);

#endif
