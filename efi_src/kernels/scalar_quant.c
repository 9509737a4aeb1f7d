/* Quantised products by 64-bit multiplication: one multiplies several pairs and adds the products up, as one
 * multiplies polynomials. With X = 2^32, (a0 + a1 X) (b1 + b0 X) = a0 b1 + (a0 b0 + a1 b1) X + (gone: X^2 = 2^64),
 * and with X = 2^16 the X^3 of four terms by four is a sum of four products. Sums of such numbers are exact modulo
 * 2^64; the lower terms, taken together, stay below half of the wanted term's unit, so that adding this half and
 * shifting gives the exact sum.
 *
 * An emulator translates multiplications, shifts and masks one to one, but calls a function for a vector's
 * multiplication: emulated, this is the fastest table (bench/kernels.py). */
#include "scalar_quant.h"

#include "../engine/math.h"
#include "kernels.h"

#define INLINE static inline __attribute__((always_inline))
#define TILE_ROWS 32   /* of w: they share one packed piece of x */
#define TILE_BLOCKS 32 /* of x */
#define SHARE 2        /* rows of w that share a load of x */
#define GROUP 4        /* blocks whose floating point is done side by side: neighbouring lanes */

/* Two bytes of a word, and four nibbles */
#define PAIR 0x000000ff000000ffu
#define FOUR 0x000f000f000f000fu

enum format { Q8_0, Q4_0, Q8_G };

/* A block of activations as factors, in the order in which `block_sum` meets their partners. */
struct packed {
    uint64_t start; /* what the sum starts with: undoes the weights' bias, adds the half of above */
    uint64_t factor[16];
};

/* Rows of w, and where their parts are */
struct rows {
    const uint8_t *q; /* the first row's first block */
    size_t block;     /* bytes a block, with its scale in front if it has one */
    const float *scale;
    size_t per; /* Q8_G: blocks that share a scale */
};

typedef uint64_t u64_any __attribute__((aligned(1), may_alias));
typedef uint16_t u16_any __attribute__((aligned(1), may_alias));

/* Bytes are u = w + 128: (w bytes k, k + 4) meet x (k + 4, k) */
static void pack_bytes(struct packed *to, const int8_t *x) {
    int64_t sum = 0;
    for (size_t i = 0; i < 16; i++) {
        const int8_t *at = x + i / 4 * 8 + i % 4;
        to->factor[i] = ((uint64_t)at[0] << 32) + (uint64_t)(int64_t)at[4];
        sum += at[0] + at[4];
    }
    to->start = (1ull << 31) - ((uint64_t)(sum * 128) << 32);
}

/* Nibbles are u = w + 8: bytes k, k + 2, k + 4, k + 6 hold elements k, … in their low half, k + 16, … in the high */
static void pack_nibbles(struct packed *to, const int8_t *x) {
    uint64_t sum = 0;
    for (size_t i = 0; i < 8; i++) {
        const int8_t *at = x + i / 4 * 8 + i % 4 / 2 + i % 2 * 16;
        uint64_t factor = 0;
        for (size_t k = 0; k < 4; k++)
            factor += (uint64_t)(int64_t)at[2 * k] << (48 - 16 * k);
        to->factor[i] = factor;
        sum += factor;
    }
    to->start = (1ull << 47) - sum * 0x0008000800080008u;
}

/* Adds block sums of `rows` rows of w, `step` bytes apart, with one block of x. */
INLINE void block_sums(int64_t sum[SHARE], const uint8_t *w, size_t step, const struct packed *x, const int rows,
                       const enum format format) {
    const uint64_t mask = format == Q4_0 ? FOUR : PAIR, flip = format == Q4_0 ? 0 : 0x8080808080808080u;
    const int words = format == Q4_0 ? 2 : 4, shift = format == Q4_0 ? 4 : 8, unit = format == Q4_0 ? 48 : 32;
    uint64_t all[SHARE];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
        all[r] = x->start;
#pragma GCC unroll 4
    for (int i = 0; i < words; i++) {
        uint64_t u[SHARE];
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
            u[r] = *(const u64_any *)(w + (size_t)r * step + 8 * i) ^ flip;
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) {
            /* Without these barriers gcc loads the factor anew for each row, and computes terms so far ahead of
             * their addition that they go through the stack: an emulator looks up the address of each access. */
            uint64_t factor = x->factor[4 * i + k];
            __asm__("" : "+r"(factor));
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++) {
                all[r] += (u[r] >> (shift * k) & mask) * factor;
                __asm__("" : "+r"(all[r]));
            }
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
        sum[r] = (int64_t)all[r] >> unit;
}

/* quant_half, with the usual case in line */
INLINE float half_at(const uint8_t *d) {
    uint32_t half = *(const u16_any *)d;
    if (((half + 0x400) & 0x7800) == 0) /* subnormal, zero, infinity, NaN */
        return quant_half((uint16_t)half);
    return m_from_bits_f((half & 0x8000) << 16 | (((half & 0x7fff) << 13) + (112u << 23)));
}

/* Where a row's scales are read: Q8_G's lie apart, one for `per` blocks. */
struct scales {
    const float *at;
    size_t left; /* blocks that this one is still for */
};

INLINE float next_scale(struct scales *scales, size_t per, const uint8_t *block, const enum format format) {
    if (format != Q8_G)
        return half_at(block);
    float scale = *scales->at;
    if (--scales->left == 0) {
        scales->at++;
        scales->left = per;
    }
    return scale;
}

/* Adds `blocks` blocks, of which the first has the number b in its row, to the lanes of `rows` rows. */
INLINE void add_blocks(float lane[][KERNEL_LANES], const struct rows *w, const uint8_t *block, size_t step,
                       struct scales scales[SHARE], const struct packed *x, const float *dx, size_t b, size_t blocks,
                       const int rows, const enum format format) {
    const size_t head = format == Q8_G ? 0 : sizeof(uint8_t[2]);
    size_t i = 0;
    for (; i + GROUP <= blocks; i += GROUP) {
        union { int32_t i; float f; } sum[SHARE][GROUP];
        float factor[SHARE][GROUP];
#pragma GCC unroll 4
        for (size_t j = 0; j < GROUP; j++, block += w->block) {
            int64_t sums[SHARE];
            block_sums(sums, block + head, step, x + i + j, rows, format);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++) {
                sum[r][j].i = (int32_t)sums[r] + 0x4b400000; /* M_ROUND_F + sum: converts it */
                factor[r][j] = next_scale(&scales[r], w->per, block + (size_t)r * step, format);
            }
        }
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            float *to = lane[r] + (b + i) % KERNEL_LANES;
            for (size_t j = 0; j < GROUP; j++)
                to[j] += (sum[r][j].f - M_ROUND_F) * (factor[r][j] * dx[i + j]);
        }
    }
    for (; i < blocks; i++, block += w->block) {
        int64_t sums[SHARE];
        block_sums(sums, block + head, step, x + i, rows, format);
        for (int r = 0; r < rows; r++) {
            float factor = next_scale(&scales[r], w->per, block + (size_t)r * step, format) * dx[i];
            lane[r][(b + i) % KERNEL_LANES] += (float)(int32_t)sums[r] * factor;
        }
    }
}

static float fold(float lane[KERNEL_LANES]) {
    for (size_t half = KERNEL_LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

/* The same for the rows from `row` on, of `all` blocks each. */
INLINE void add_rows(float lane[][KERNEL_LANES], const struct rows *w, size_t row, const struct packed *x,
                     const float *dx, size_t b, size_t blocks, size_t all, const int rows, const enum format format) {
    struct scales scales[SHARE];
    for (int r = 0; r < rows && format == Q8_G; r++)
        scales[r] = (struct scales){w->scale + (row + (size_t)r) * (all / w->per) + b / w->per, w->per - b % w->per};
    add_blocks(lane, w, w->q + (row * all + b) * w->block, all * w->block, scales, x, dx, b, blocks, rows, format);
}

/* w (d, blocks) @ x (blocks) -> out (d), d at most TILE_ROWS */
INLINE void tile(float *out, const struct rows *w, size_t row, const int8_t *q, const float *dx, size_t d,
                 size_t blocks, const enum format format) {
    float lane[TILE_ROWS][KERNEL_LANES] = {{0}};
    struct packed x[TILE_BLOCKS];
    for (size_t b = 0; b < blocks; b += TILE_BLOCKS) {
        size_t count = blocks - b < TILE_BLOCKS ? blocks - b : TILE_BLOCKS;
        for (size_t i = 0; i < count; i++)
            (format == Q4_0 ? pack_nibbles : pack_bytes)(&x[i], q + (b + i) * QUANT_BLOCK);
        size_t r = 0;
        for (; r + SHARE <= d; r += SHARE)
            add_rows(lane + r, w, row + r, x, dx + b, b, count, blocks, SHARE, format);
        for (; r < d; r++)
            add_rows(lane + r, w, row + r, x, dx + b, b, count, blocks, 1, format);
    }
    for (size_t r = 0; r < d; r++)
        out[r] = fold(lane[r]);
}

INLINE void product(float *out, size_t ldo, const struct rows *w, const struct q8_rows *x, size_t d, size_t n,
                    size_t m, const enum format format) {
    size_t blocks = n / QUANT_BLOCK;
    for (size_t i = 0; i < d; i += TILE_ROWS)
        for (size_t r = 0; r < m; r++)
            tile(out + r * ldo + i, w, i, x->q + r * n, x->d + r * blocks, d - i < TILE_ROWS ? d - i : TILE_ROWS,
                 blocks, format);
}

void scalar_matmul_q8_0(float *out, size_t ldo, const struct q8_0 *w, const struct q8_rows *x, size_t d, size_t n,
                        size_t m) {
    struct rows rows = {(const uint8_t *)w, sizeof *w, NULL, 1};
    product(out, ldo, &rows, x, d, n, m, Q8_0);
}

void scalar_matmul_q4_0(float *out, size_t ldo, const struct q4_0 *w, const struct q8_rows *x, size_t d, size_t n,
                        size_t m) {
    struct rows rows = {(const uint8_t *)w, sizeof *w, NULL, 1};
    product(out, ldo, &rows, x, d, n, m, Q4_0);
}

void scalar_matmul_q8_g(float *out, size_t ldo, const int8_t *w, const float *scale, size_t group,
                        const struct q8_rows *x, size_t d, size_t n, size_t m) {
    struct rows rows = {(const uint8_t *)w, QUANT_BLOCK, scale, group / QUANT_BLOCK};
    product(out, ldo, &rows, x, d, n, m, Q8_G);
}
