/* Products of int8 blocks; simd.h includes it. Besides what simd.h asks for:
 *
 *   SUMS                  blocks that are summed side by side: 4 or 8
 *   qi, qf                vectors of SUMS int32 and of SUMS floats
 *   q_bytes(w, x)         32 int8 by 32 int8 (x: -127 to 127) -> SUMS sums of some of the products
 *   q_nibbles(w, x)       the same for 16 bytes of q4_0
 *   q_gather(part)        SUMS vectors -> the sum of each, in order
 *   q_eight(w, step, x)   AVX-512: eight blocks of int8, `step` bytes apart, by x (8*32) -> the sum of each
 *   q_total(part)         the sum of one vector
 *   q_floats(x)           int32 -> float
 *   q_halves(d, step)     SUMS floats from half precision, `step` bytes apart
 *   q_half(d)             one
 *   q_fold(all)           16 lanes in 16/SUMS vectors -> 1
 */
#define BATCH 4    /* rows of x that one row of w meets before the next */
#define AHEAD 4096 /* bytes: the processor's own reading ahead ends at each page */

#define SETS (KERNEL_LANES / SUMS) /* vectors that hold the 16 lanes */

enum format { Q8_0, Q4_0, Q8_G };

/* A matrix of blocks */
struct blocks {
    const uint8_t *q;
    const float *scale; /* Q8_G: one for `per` blocks */
    size_t per, count;  /* blocks a row */
};

typedef float qf_any __attribute__((vector_size(4 * SUMS), aligned(4), may_alias));

INLINE size_t block_size(const enum format f) {
    return f == Q8_0 ? sizeof(struct q8_0) : f == Q4_0 ? sizeof(struct q4_0) : QUANT_BLOCK;
}

INLINE qi products(const uint8_t *block, const int8_t *x, const enum format f) {
    if (f == Q4_0)
        return q_nibbles(block + sizeof(uint8_t[2]), x);
    return q_bytes((const int8_t *)block + (f == Q8_0 ? sizeof(uint8_t[2]) : 0), x);
}

/* Blocks at w, one after the other, with x (SUMS*32) -> the sum of each */
INLINE qi block_sums(const uint8_t *w, const int8_t *x, const enum format f) {
    const size_t step = block_size(f);
#ifdef __AVX512BW__
    if (f != Q4_0)
        return q_eight(w + (f == Q8_0 ? sizeof(uint8_t[2]) : 0), step, x);
#endif
    qi part[SUMS];
#pragma GCC unroll 8
    for (size_t j = 0; j < SUMS; j++)
        part[j] = products(w + j * step, x + j * QUANT_BLOCK, f);
    return q_gather(part);
}

/* Scales of the blocks b, b + 1, … of a row */
INLINE qf scales_at(const uint8_t *block, const float *scale, size_t per, size_t b, const enum format f) {
    if (f != Q8_G)
        return q_halves(block, block_size(f));
    if (per == 1)
        return (qf) * (const qf_any *)(scale + b);
    qf scales = {0}; /* each is set below, which gcc sees at -O2 alone */
    size_t at = b / per, left = per - b % per;
#pragma GCC unroll 8
    for (int j = 0; j < SUMS; j++) {
        scales[j] = scale[at];
        if (--left == 0) {
            at++;
            left = per;
        }
    }
    return scales;
}

INLINE float scale_at(const uint8_t *block, const float *scale, size_t per, size_t b, const enum format f) {
    return f == Q8_G ? scale[b / per] : q_half(block);
}

/* Adds to one lane, in registers: the others get + 0, which changes none, as no sum that starts at + 0 becomes - 0. */
INLINE void add_to_lane(qf all[SETS], int32_t lane, float term) {
#pragma GCC unroll 4
    for (int g = 0; g < SETS; g++) {
        qi number;
        for (int l = 0; l < SUMS; l++)
            number[l] = g * SUMS + l;
        all[g] += (qf)((qi)(term - (qf){0}) & (number == lane));
    }
}

/* One row of w @ x (m, count*32) -> out (m; stride ldo) */
INLINE void product_row(float *out, size_t ldo, const uint8_t *w, const float *scale, size_t per, const int8_t *q,
                        const float *dx, size_t count, const int m, const enum format f) {
    const size_t step = block_size(f), n = count * QUANT_BLOCK;
    qf lane[BATCH][SETS]; /* in registers, as every index is known once the loops are unrolled */
    for (int r = 0; r < m; r++)
#pragma GCC unroll 4
        for (int g = 0; g < SETS; g++)
            lane[r][g] = (qf){0};
    size_t b = 0;
    while (b + SUMS <= count) {
#pragma GCC unroll 4
        for (int g = 0; g < SETS && b + SUMS <= count; g++, b += SUMS) {
#pragma GCC unroll 4
            for (size_t line = 0; f == Q8_G && line < SUMS * QUANT_BLOCK; line += 64) /* the others' rows gain nothing */
                __builtin_prefetch(w + b * step + AHEAD + line);
            qf ws = scales_at(w + b * step, scale, per, b, f);
            for (int r = 0; r < m; r++) {
                qi sum = block_sums(w + b * step, q + (size_t)r * n + b * QUANT_BLOCK, f);
                qf xs = (qf) * (const qf_any *)(dx + (size_t)r * count + b);
                lane[r][g] += q_floats(sum) * (ws * xs);
            }
        }
    }
    for (int r = 0; r < m; r++) {
        for (size_t i = b; i < count; i++) {
            int32_t sum = q_total(products(w + i * step, q + (size_t)r * n + i * QUANT_BLOCK, f));
            float ws = scale_at(w + i * step, scale, per, i, f);
            add_to_lane(lane[r], (int32_t)(i % KERNEL_LANES), (float)sum * (ws * dx[(size_t)r * count + i]));
        }
        out[(size_t)r * ldo] = q_fold(lane[r]);
    }
}

INLINE void product(float *out, size_t ldo, const struct blocks *w, const struct q8_rows *x, size_t d, size_t m,
                    const enum format f) {
    size_t n = w->count * QUANT_BLOCK;
    for (size_t i = 0; i < d; i++) {
        const uint8_t *row = w->q + i * w->count * block_size(f);
        const float *scale = f == Q8_G ? w->scale + i * (w->count / w->per) : NULL;
        size_t r = 0;
        for (; r + BATCH <= m; r += BATCH)
            product_row(out + r * ldo + i, ldo, row, scale, w->per, x->q + r * n, x->d + r * w->count, w->count,
                        BATCH, f);
        for (; r < m; r++)
            product_row(out + r * ldo + i, ldo, row, scale, w->per, x->q + r * n, x->d + r * w->count, w->count, 1,
                        f);
    }
}

static void matmul_q8_0(float *out, size_t ldo, const struct q8_0 *w, const struct q8_rows *x, size_t d, size_t n,
                        size_t m) {
    struct blocks blocks = {(const uint8_t *)w, NULL, 1, n / QUANT_BLOCK};
    product(out, ldo, &blocks, x, d, m, Q8_0);
}

static void matmul_q4_0(float *out, size_t ldo, const struct q4_0 *w, const struct q8_rows *x, size_t d, size_t n,
                        size_t m) {
    struct blocks blocks = {(const uint8_t *)w, NULL, 1, n / QUANT_BLOCK};
    product(out, ldo, &blocks, x, d, m, Q4_0);
}

static void matmul_q8_g(float *out, size_t ldo, const int8_t *w, const float *scale, size_t group,
                        const struct q8_rows *x, size_t d, size_t n, size_t m) {
    struct blocks blocks = {(const uint8_t *)w, scale, group / QUANT_BLOCK, n / QUANT_BLOCK};
    product(out, ldo, &blocks, x, d, m, Q8_G);
}

/* -- activations -- */

/* The largest bits with the sign cleared: of the largest magnitude, or of a NaN */
INLINE float largest_magnitude(const float *x) {
    vi most = {0};
#pragma GCC unroll 8
    for (int i = 0; i < QUANT_BLOCK; i += W) {
        vi bits = (vi)v_load(x + i) & 0x7fffffff;
        vi more = bits > most;
        most = (more & bits) | (~more & most);
    }
    int32_t max = 0;
    for (int l = 0; l < W; l++)
        max = most[l] > max ? most[l] : max;
    return m_from_bits_f((uint32_t)max);
}

typedef int8_t v_bytes __attribute__((vector_size(W), aligned(1), may_alias));

static void quantize(int8_t *q, float *d, const float *x, size_t n) {
    for (size_t b = 0; b < n / QUANT_BLOCK; b++) {
        float max = largest_magnitude(x + b * QUANT_BLOCK), inverse = 127.0f / max;
        d[b] = quant_scale(max);
#pragma GCC unroll 8
        for (size_t i = b * QUANT_BLOCK; i < (b + 1) * QUANT_BLOCK; i += W) {
            vf y = v_load(x + i) * inverse;
            y = v_pick(y > 127.0f, v_all(127.0f), y);
            y = v_pick(y < -127.0f, v_all(-127.0f), y);
            y = (vf)((vi)y & (vi)(y == y)); /* 0 * infinity, and what is not finite */
            *(v_bytes *)(q + i) = (v_bytes)__builtin_convertvector((vi)(y + M_ROUND_F) - (vi)v_all(M_ROUND_F), v_bytes);
        }
    }
}
