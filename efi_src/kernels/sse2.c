/* Four floats a vector: any x86-64. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define W 4
#define TILE_COLUMNS 2
#define TILE_W 1
#define TILE_X 2
#define TABLE kernels_sse2
#define TABLE_NAME "sse2"

typedef float v4f __attribute__((vector_size(16)));
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));

static inline vf v_sqrt(vf x) { return (vf)_mm_sqrt_ps((__m128)x); }
static inline vf v_times(const float *a, vf x) { return *a * x; }

static inline vf v_load_part(const float *p, size_t r) {
    return (vf){p[0], r > 1 ? p[1] : 0.0f, r > 2 ? p[2] : 0.0f, 0.0f};
}

static inline void v_store_part(float *p, vf x, size_t r) {
    p[0] = x[0];
    if (r > 1)
        p[1] = x[1];
    if (r > 2)
        p[2] = x[2];
}

static inline v4f v_fold(const vf lane[4]) { return (lane[0] + lane[2]) + (lane[1] + lane[3]); }

static inline vf v_swap(vf x) { return (vf)_mm_shuffle_ps((__m128)x, (__m128)x, 0xb1); }

static inline vf v_twice(const float *p) {
    __m128 x = (__m128)_mm_loadl_epi64((const __m128i *)p);
    return (vf)_mm_unpacklo_ps(x, x);
}

#include "quant_xmm.h"

static inline vf v_half(const uint16_t *p) {
    return from_halves((qi)_mm_unpacklo_epi16(_mm_loadl_epi64((const __m128i *)p), _mm_setzero_si128()));
}

#include "simd.h"
