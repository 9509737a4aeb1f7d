/* Eight floats a vector. Compiled with -mavx2 -mf16c, and never with -mfma. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define W 8
#define TILE_COLUMNS 2
#define TILE_W 3
#define TILE_X 2
#define TABLE kernels_avx2
#define TABLE_NAME "avx2"

typedef float v4f __attribute__((vector_size(16)));
typedef float vf __attribute__((vector_size(32)));
typedef int32_t vi __attribute__((vector_size(32)));

static inline vf v_sqrt(vf x) { return (vf)_mm256_sqrt_ps((__m256)x); }
static inline vf v_times(const float *a, vf x) { return *a * x; }

static inline __m256i first(size_t r) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)r), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline vf v_load_part(const float *p, size_t r) { return (vf)_mm256_maskload_ps(p, first(r)); }
static inline void v_store_part(float *p, vf x, size_t r) { _mm256_maskstore_ps(p, first(r), (__m256)x); }

static inline v4f v_fold(const vf lane[2]) {
    __m256 x = (__m256)(lane[0] + lane[1]);
    return (v4f)_mm256_castps256_ps128(x) + (v4f)_mm256_extractf128_ps(x, 1);
}

static inline vf v_half(const uint16_t *p) { return (vf)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
static inline vf v_swap(vf x) { return (vf)_mm256_permute_ps((__m256)x, 0xb1); }

static inline vf v_twice(const float *p) {
    __m128 x = _mm_loadu_ps(p);
    return (vf)_mm256_set_m128(_mm_unpackhi_ps(x, x), _mm_unpacklo_ps(x, x));
}

#include "quant_ymm.h"
#include "simd.h"
