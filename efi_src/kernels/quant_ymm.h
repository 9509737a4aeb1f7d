/* int8 products of quant_simd.h in 256-bit vectors: eight blocks side by side. */

#define SUMS 8

typedef int32_t qi __attribute__((vector_size(32)));
typedef float qf __attribute__((vector_size(32)));

static inline __m256i load32(const void *p) { return _mm256_loadu_si256(p); }

#ifdef __AVX512VNNI__

/* u (32 uint8) by s (32 int8) -> eight sums of four */
static inline __m256i sums(__m256i u, __m256i s) { return _mm256_dpbusd_epi32(_mm256_setzero_si256(), u, s); }

#else

/* Two products stay below 2^15: 2 * 128 * 127 = 32512, so that nothing saturates. */
static inline __m256i sums(__m256i u, __m256i s) {
    return _mm256_madd_epi16(_mm256_maddubs_epi16(u, s), _mm256_set1_epi16(1));
}

#endif

#ifdef __AVX512BW__

/* The same for 512 bits */
static inline __m512i sums_512(__m512i u, __m512i s) {
#ifdef __AVX512VNNI__
    return _mm512_dpbusd_epi32(_mm512_setzero_si512(), u, s);
#else
    return _mm512_madd_epi16(_mm512_maddubs_epi16(u, s), _mm512_set1_epi16(1));
#endif
}

/* Two blocks at w and w + step, and 64 int8 of x -> the first's eight sums of four, the second's eight */
static inline __m512i two_blocks(const uint8_t *w, size_t step, const int8_t *x) {
    __m512i ws = _mm512_inserti64x4(_mm512_castsi256_si512(load32(w)), load32(w + step), 1), xs = _mm512_loadu_si512(x);
    xs = _mm512_mask_sub_epi8(xs, _mm512_movepi8_mask(ws), _mm512_setzero_si512(), xs);
    return sums_512(_mm512_abs_epi8(ws), xs);
}

static inline __m512i add_pairs(__m512i a, __m512i b) {
    return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}

/* Blocks of 32 int8, `step` bytes apart, with x (8*32) -> eight sums. Half the instructions of eight q_bytes. */
static inline qi q_eight(const uint8_t *w, size_t step, const int8_t *x) {
    __m512i two[4];
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++)
        two[i] = two_blocks(w + 2 * i * step, step, x + 64 * i);
    __m512i low = add_pairs(two[0], two[1]), high = add_pairs(two[2], two[3]);
    /* in each quarter of four: a quarter of blocks 0, 2, 4, 6 (the lower half), of 1, 3, 5, 7 (the upper one) */
    __m512i quarters = _mm512_add_epi32(_mm512_unpacklo_epi64(low, high), _mm512_unpackhi_epi64(low, high));
    __m512i order = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
    quarters = _mm512_permutexvar_epi32(order, quarters);
    return (qi)_mm512_castsi512_si256(quarters) + (qi)_mm512_extracti64x4_epi64(quarters, 1);
}

#endif

/* |w| as uint8 (128 for -128) times x with w's sign */
static inline qi q_bytes(const int8_t *w, const int8_t *x) {
    __m256i ws = load32(w);
    return (qi)sums(_mm256_abs_epi8(ws), _mm256_sign_epi8(load32(x), ws));
}

static inline qi q_nibbles(const uint8_t *w, const int8_t *x) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)w);
    __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(bytes), _mm_srli_epi16(bytes, 4), 1);
    __m256i u = _mm256_and_si256(both, _mm256_set1_epi8(15)), s = load32(x);
    return (qi)sums(u, s) - (qi)sums(_mm256_set1_epi8(8), s);
}

static inline qi q_gather(const qi part[8]) {
    __m256i p[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        p[i] = _mm256_hadd_epi32((__m256i)part[2 * i], (__m256i)part[2 * i + 1]);
    __m256i low = _mm256_hadd_epi32(p[0], p[1]), high = _mm256_hadd_epi32(p[2], p[3]);
    return (qi)_mm256_permute2x128_si256(low, high, 0x20) + (qi)_mm256_permute2x128_si256(low, high, 0x31);
}

static inline int32_t q_total(qi part) {
    __m128i x = _mm_add_epi32(_mm256_castsi256_si128((__m256i)part), _mm256_extracti128_si256((__m256i)part, 1));
    x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(x, _mm_shuffle_epi32(x, 0xb1)));
}

static inline float q_fold(const qf all[2]) {
    __m256 x = (__m256)(all[0] + all[1]);
    v4f y = (v4f)_mm256_castps256_ps128(x) + (v4f)_mm256_extractf128_ps(x, 1);
    return (y[0] + y[2]) + (y[1] + y[3]);
}

static inline qf q_floats(qi x) { return (qf)_mm256_cvtepi32_ps((__m256i)x); }

typedef uint16_t u16_any __attribute__((aligned(1), may_alias));

static inline float q_half(const uint8_t *d) { return _cvtsh_ss(*(const u16_any *)d); }

static inline qf q_halves(const uint8_t *d, size_t step) {
    uint16_t half[8];
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++)
        half[i] = *(const u16_any *)(d + i * step);
    return (qf)_mm256_cvtph_ps(_mm_setr_epi16((short)half[0], (short)half[1], (short)half[2], (short)half[3],
                                              (short)half[4], (short)half[5], (short)half[6], (short)half[7]));
}
