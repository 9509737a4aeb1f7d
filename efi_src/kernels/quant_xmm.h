/* int8 products of quant_simd.h in 128-bit vectors of any x86-64: four blocks side by side. */

#define SUMS 4

typedef int32_t qi __attribute__((vector_size(16)));
typedef float qf __attribute__((vector_size(16)));

/* 16 int8 by 16 int8 -> four sums */
static inline __m128i sums(__m128i w, __m128i x) {
    __m128i w0 = _mm_srai_epi16(_mm_unpacklo_epi8(w, w), 8), w1 = _mm_srai_epi16(_mm_unpackhi_epi8(w, w), 8);
    __m128i x0 = _mm_srai_epi16(_mm_unpacklo_epi8(x, x), 8), x1 = _mm_srai_epi16(_mm_unpackhi_epi8(x, x), 8);
    return _mm_add_epi32(_mm_madd_epi16(w0, x0), _mm_madd_epi16(w1, x1));
}

static inline qi q_bytes(const int8_t *w, const int8_t *x) {
    const __m128i *ws = (const __m128i *)w, *xs = (const __m128i *)x;
    return (qi)sums(_mm_loadu_si128(ws), _mm_loadu_si128(xs))
           + (qi)sums(_mm_loadu_si128(ws + 1), _mm_loadu_si128(xs + 1));
}

static inline qi q_nibbles(const uint8_t *w, const int8_t *x) {
    const __m128i *xs = (const __m128i *)x;
    __m128i bytes = _mm_loadu_si128((const __m128i *)w), mask = _mm_set1_epi8(15), bias = _mm_set1_epi8(8);
    __m128i low = _mm_sub_epi8(_mm_and_si128(bytes, mask), bias);
    __m128i high = _mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), mask), bias);
    return (qi)sums(low, _mm_loadu_si128(xs)) + (qi)sums(high, _mm_loadu_si128(xs + 1));
}

static inline qi q_gather(const qi part[4]) {
    __m128i p[2];
    for (int i = 0; i < 2; i++) {
        __m128i a = (__m128i)part[2 * i], b = (__m128i)part[2 * i + 1];
        p[i] = _mm_add_epi32(_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
    }
    return (qi)_mm_add_epi32(_mm_unpacklo_epi64(p[0], p[1]), _mm_unpackhi_epi64(p[0], p[1]));
}

static inline int32_t q_total(qi part) {
    __m128i x = _mm_add_epi32((__m128i)part, _mm_shuffle_epi32((__m128i)part, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(x, _mm_shuffle_epi32(x, 0xb1)));
}

static inline float q_fold(const qf all[4]) {
    qf y = (all[0] + all[2]) + (all[1] + all[3]);
    return (y[0] + y[2]) + (y[1] + y[3]);
}

static inline qf q_floats(qi x) { return (qf)_mm_cvtepi32_ps((__m128i)x); }

typedef uint16_t u16_any __attribute__((aligned(1), may_alias));

/* Half precision in the low half of each element, zeros above */
static inline qf from_halves(qi bits) {
    qi magnitude = bits & 0x7fff, sign = (bits & 0x8000) << 16;
    qi value = (qi)((qf)(magnitude << 13) * 0x1p112f); /* mends the exponent's bias, of subnormals too: exact */
    value |= (magnitude >= 0x7c00) & 0x7f800000; /* infinity and NaN, which the next product makes quiet */
    return (qf)(value | sign);
}

static inline float q_half(const uint8_t *d) { return from_halves((qi){*(const u16_any *)d})[0]; }

static inline qf q_halves(const uint8_t *d, size_t step) {
    return from_halves((qi){*(const u16_any *)d, *(const u16_any *)(d + step), *(const u16_any *)(d + 2 * step),
                            *(const u16_any *)(d + 3 * step)});
}
