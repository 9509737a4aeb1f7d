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
