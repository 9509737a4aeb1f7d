/* Sixteen floats a vector: for avx512.c and avx512vnni.c, which define TABLE and TABLE_NAME. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define W 16
#define TILE_COLUMNS 4
#define TILE_W 4
#define TILE_X 4

typedef float v4f __attribute__((vector_size(16)));
typedef float vf __attribute__((vector_size(64)));
typedef int32_t vi __attribute__((vector_size(64)));

static inline vf v_sqrt(vf x) { return (vf)_mm512_sqrt_ps((__m512)x); }

/* The load unit broadcasts for free within the multiplication; gcc would load the broadcast value
 * once to use it several times, which costs Zen 4 a fifth of gemm's speed. */
static inline vf v_times(const float *a, vf x) {
    vf y;
    __asm__("vmulps %2%{1to16%}, %1, %0" : "=v"(y) : "v"(x), "m"(*a));
    return y;
}

static inline __mmask16 first(size_t r) { return (__mmask16)((1u << r) - 1); }

static inline vf v_load_part(const float *p, size_t r) { return (vf)_mm512_maskz_loadu_ps(first(r), p); }
static inline void v_store_part(float *p, vf x, size_t r) { _mm512_mask_storeu_ps(p, first(r), (__m512)x); }

static inline v4f v_fold(const vf lane[1]) {
    __m256 x = _mm512_castps512_ps256((__m512)lane[0]) + _mm512_extractf32x8_ps((__m512)lane[0], 1);
    return (v4f)_mm256_castps256_ps128(x) + (v4f)_mm256_extractf128_ps(x, 1);
}

static inline vf v_half(const uint16_t *p) { return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
static inline vf v_swap(vf x) { return (vf)_mm512_permute_ps((__m512)x, 0xb1); }

static inline vf v_twice(const float *p) {
    __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    return (vf)_mm512_permutexvar_ps(twice, _mm512_castps256_ps512(_mm256_loadu_ps(p)));
}

#include "quant_ymm.h"
#include "simd.h"
