/* Quantised products by 64-bit multiplication: one multiplies several pairs and adds the products up, as one
 * multiplies polynomials. With X = 2^32, (a0 + a1 X) (b1 + b0 X) = a0 b1 + (a0 b0 + a1 b1) X + (gone: X^2 = 2^64),
 * and with X = 2^16 the X^3 of four terms by four is a sum of four products. Sums of such numbers are exact modulo
 * 2^64; the lower terms, taken together, stay below half of the wanted term's unit, so that adding this half and
 * shifting gives the exact sum.
 *
 * An emulator translates multiplications, shifts and masks one to one, but calls a function for a vector's
 * multiplication, and looks up the address of each access to memory: emulated, this is the fastest table
 * (bench/kernels.py). So a block of activations waits in vector registers while it meets many rows, and the floating
 * point is done four rows at a time. */
#include "scalar_quant.h"

#include "../engine/math.h"
#include "kernels.h"
#include <emmintrin.h> /* SSE2, which every x86-64 has */

#define INLINE static inline __attribute__((always_inline))
#define TILE 64 /* rows of w that share a block of activations */
#define FOUR 4  /* rows in a vector */
#define STRIP 32 /* blocks of each row of a tile that are fetched at once */
#define LINE 64  /* bytes of a processor's cache */

/* Two bytes of a word, and four nibbles or bytes */
#define PAIR 0x000000ff000000ffu
#define NIBBLES 0x000f000f000f000fu
#define BYTES 0x00ff00ff00ff00ffu
#define FLIP 0x8080808080808080u /* int8 x -> uint8 x + 128 */

enum format { Q8_0, Q4_0, Q8_G };

/* Rows of w, and where their parts are */
struct rows {
    const uint8_t *q;   /* the first row's first block */
    const float *scale; /* Q8_G: one for `per` blocks */
    size_t per, count;  /* blocks a row */
};

/* What a block's product is made of, for each row of a tile */
struct terms {
    int32_t sum[TILE], scale[TILE]; /* the bits of M_ROUND_F + sum; a float's bits, or half precision (Q8_0, Q4_0) */
} __attribute__((aligned(16)));

typedef float v4f __attribute__((vector_size(16)));
typedef int32_t v4i __attribute__((vector_size(16)));
typedef uint64_t u64_any __attribute__((aligned(1), may_alias));
typedef int16_t i16_any __attribute__((aligned(1), may_alias));
typedef int32_t i32_any __attribute__((may_alias));

INLINE size_t block_size(const enum format f) {
    return f == Q8_0 ? sizeof(struct q8_0) : f == Q4_0 ? sizeof(struct q4_0) : QUANT_BLOCK;
}

/* A block of activations as factors, in the order in which `sum_rows` meets their partners; returns what a sum starts
 * with: it undoes the weights' bias and adds the half of above.
 * Bytes are u = w + 128: (w bytes k, k + 4) meet x (k + 4, k). */
INLINE uint64_t pack_bytes(__m128i factor[16], const int8_t *x) {
    uint64_t sum = 0;
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        uint64_t u = *(const u64_any *)(x + 8 * i) ^ FLIP;
        u = u << 32 | u >> 32;
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) {
            uint64_t pair = (u >> 8 * k & PAIR) - 0x0000008000000080u;
            factor[4 * i + k] = _mm_cvtsi64_si128((int64_t)pair);
            sum += pair;
        }
    }
    int64_t low = (int32_t)sum, high = (int64_t)(sum - (uint64_t)low) >> 32;
    return (1ull << 31) - ((uint64_t)((low + high) * 128) << 32);
}

/* Nibbles are u = w + 8: bytes k, k + 2, k + 4, k + 6 hold elements k, … in their low half, k + 16, … in the high. */
INLINE uint64_t pack_nibbles(__m128i factor[8], const int8_t *x) {
    uint64_t sum = 0;
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        uint64_t u = __builtin_bswap64(*(const u64_any *)(x + i / 4 * 8 + i % 2 * 16) ^ FLIP);
        uint64_t four = ((i % 4 < 2 ? u >> 8 : u) & BYTES) - 0x0080008000800080u;
        factor[i] = _mm_cvtsi64_si128((int64_t)four);
        sum += four;
    }
    return (1ull << 47) - sum * 0x0008000800080008u;
}

/* A scale without its sign, plus 0x400: below this it was zero or subnormal, or (bit 15 is gone) infinite or a NaN */
#define USUAL 0x800

/* One block of each of `rows` rows, `step` bytes apart, with one of x; whether a scale is unusual. `scale`: Q8_G's,
 * `scale_step` apart. An emulator likes all loads first and all stores last. The empty asm statements keep them so, the
 * factors in their registers and the additions in the order of the source. */
INLINE int sum_rows(struct terms *to, const uint8_t *w, size_t step, const float *scale, size_t scale_step,
                    const int8_t *x, size_t rows, const enum format format) {
    const uint64_t mask = format == Q4_0 ? NIBBLES : PAIR;
    const int words = format == Q4_0 ? 2 : 4, shift = format == Q4_0 ? 4 : 8, unit = format == Q4_0 ? 48 : 32;
    const size_t head = format == Q8_G ? 0 : sizeof(uint8_t[2]);
    int32_t unusual = 0; /* negative */
    __m128i factor[16];
    const uint64_t start = format == Q4_0 ? pack_nibbles(factor, x) : pack_bytes(factor, x);
    for (size_t r = 0; r < rows; r++, w += step) {
        uint64_t u[4], all = start;
        int32_t d = format == Q8_G ? *(const i32_any *)scale : *(const i16_any *)w;
        __asm__ volatile("" : "+r"(d));
#pragma GCC unroll 4
        for (int i = 0; i < words; i++) {
            u[i] = *(const u64_any *)(w + head + 8 * i);
            __asm__ volatile("" : "+r"(u[i]));
        }
#pragma GCC unroll 4
        for (int i = 0; i < words; i++) {
            if (format != Q4_0)
                u[i] ^= FLIP;
#pragma GCC unroll 4
            for (int k = 0; k < 4; k++) {
                __asm__ volatile("" : "+x"(factor[4 * i + k]));
                all += (u[i] & mask) * (uint64_t)_mm_cvtsi128_si64(factor[4 * i + k]);
                u[i] >>= shift;
                __asm__("" : "+r"(all));
            }
        }
        if (format != Q8_G)
            unusual |= ((d + 0x400) & 0x7800) - USUAL;
        to->scale[r] = d;
        to->sum[r] = (int32_t)((int64_t)all >> unit) + 0x4b400000;
        if (format == Q8_G)
            scale += scale_step; /* NULL in the others */
    }
    return unusual < 0;
}

/* Half precision -> float, where no scale is unusual */
INLINE v4f usual_halves(v4i half) { return (v4f)(((half << 13) & (int32_t)0x8fffe000) + (112 << 23)); }

/* Any, as quant_half does */
INLINE v4f halves(v4i half) {
    v4i size = half & 0x7fff, value = (v4i)((v4f)(size << 13) * 0x1p112f) | ((size >= 0x7c00) & 0x7f800000);
    return (v4f)(value | (half & 0x8000) << 16);
}

enum scales { FLOATS, HALVES, USUAL_HALVES };

/* lane (rows) += sum * (scale * d), four rows at once */
INLINE void add_terms(float *lane, const struct terms *t, float d, size_t rows, const enum scales scales) {
#pragma GCC unroll 2
    for (size_t r = 0; r < rows; r += FOUR) {
        v4i bits = *(const v4i *)(t->scale + r);
        v4f scale = scales == FLOATS ? (v4f)bits : scales == HALVES ? halves(bits) : usual_halves(bits);
        *(v4f *)(lane + r) += ((v4f) * (const v4i *)(t->sum + r) - M_ROUND_F) * (scale * d);
    }
}

/* lane (16,TILE) -> lane 0 */
static void fold(float lane[KERNEL_LANES][TILE], size_t rows) {
    for (size_t half = KERNEL_LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            for (size_t r = 0; r < rows; r += FOUR)
                *(v4f *)(lane[l] + r) += *(const v4f *)(lane[l + half] + r);
}

/* Reads a byte of each line of `rows` rows of `size` bytes, `step` apart. The products go down the rows, which no
 * processor foresees, and an emulator drops prefetches: unread, each line would be waited for (an eighth more time). */
static void fetch(const uint8_t *w, size_t step, size_t size, size_t rows) {
    for (size_t r = 0; r < rows; r++, w += step)
        for (size_t i = 0; i < size; i += LINE)
            (void)*(const volatile uint8_t *)(w + i);
}

/* Rows first, … (`rows` of them, at most TILE) of w @ x (count blocks) -> out (rows). `fresh`: nothing has read them */
INLINE void tile(float *out, const struct rows *w, size_t first, const int8_t *q, const float *d, size_t rows,
                 int fresh, const enum format format) {
    const size_t block = block_size(format), step = w->count * block, scales = w->count / w->per;
    const float *scale = format == Q8_G ? w->scale + first * scales : NULL;
    float lane[KERNEL_LANES][TILE] __attribute__((aligned(16))) = {{0}};
    struct terms terms = {{0}, {0}}; /* all of it: vectors go beyond the last row */
    for (size_t b = 0; b < w->count; b++) {
        float *to = lane[b % KERNEL_LANES];
        if (fresh && b % STRIP == 0)
            fetch(w->q + first * step + b * block, step, (w->count - b < STRIP ? w->count - b : STRIP) * block, rows);
        int unusual = sum_rows(&terms, w->q + first * step + b * block, step, format == Q8_G ? scale + b / w->per : NULL,
                               format == Q8_G ? scales : 0, q + b * QUANT_BLOCK, rows, format);
        if (format == Q8_G)
            add_terms(to, &terms, d[b], rows, FLOATS);
        else if (unusual)
            add_terms(to, &terms, d[b], rows, HALVES);
        else
            add_terms(to, &terms, d[b], rows, USUAL_HALVES);
    }
    fold(lane, rows);
    for (size_t r = 0; r < rows; r++)
        out[r] = lane[0][r];
}

INLINE void product(float *out, size_t ldo, const struct rows *w, const struct q8_rows *x, size_t d, size_t m,
                    const enum format format) {
    for (size_t i = 0; i < d; i += TILE)
        for (size_t r = 0; r < m; r++)
            tile(out + r * ldo + i, w, i, x->q + r * w->count * QUANT_BLOCK, x->d + r * w->count,
                 d - i < TILE ? d - i : TILE, r == 0, format);
}

void scalar_matmul_q8_0(float *out, size_t ldo, const struct q8_0 *w, const struct q8_rows *x, size_t d, size_t n,
                        size_t m) {
    struct rows rows = {(const uint8_t *)w, NULL, 1, n / QUANT_BLOCK};
    product(out, ldo, &rows, x, d, m, Q8_0);
}

void scalar_matmul_q4_0(float *out, size_t ldo, const struct q4_0 *w, const struct q8_rows *x, size_t d, size_t n,
                        size_t m) {
    struct rows rows = {(const uint8_t *)w, NULL, 1, n / QUANT_BLOCK};
    product(out, ldo, &rows, x, d, m, Q4_0);
}

void scalar_matmul_q8_g(float *out, size_t ldo, const int8_t *w, const float *scale, size_t group,
                        const struct q8_rows *x, size_t d, size_t n, size_t m) {
    struct rows rows = {(const uint8_t *)w, scale, group / QUANT_BLOCK, n / QUANT_BLOCK};
    product(out, ldo, &rows, x, d, m, Q8_G);
}
