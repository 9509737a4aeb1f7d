/* The kernels for one vector width. sse2.c, avx2.c and avx512.c define, before including this,
 *
 *   W                     floats a vector (4, 8 or 16)
 *   TILE_COLUMNS          vectors across one gemm tile, a power of two
 *   vf, vi                vectors of W floats and of W int32
 *   v_sqrt(x)             the instruction
 *   v_times(a, x)         *a times each of x
 *   v_load_part(p, r)     r floats (0 < r < W) from p, then zeros; reads nothing beyond
 *   v_store_part(p, x, r) the first r floats of x to p; writes nothing beyond
 *   v_fold(lane)          16 lanes in 16/W vectors -> 4 (kernels.h: l += l + half, twice)
 *   v_half(p)             W floats from W half precision ones, as quant_half
 *   v_swap(x)             the two floats of each pair exchanged
 *   v_twice(p)            W/2 floats, each twice
 *   TILE_W, TILE_X        a matmul's tile: rows of w by rows of x (16/W vectors of sums each)
 *   and for int8 what quant_simd.h says
 *   TABLE, TABLE_NAME     the table to define
 *
 * and get the same bits as scalar.c: each element goes through the same operations, and sums keep
 * to the 16 lanes. Elements beyond a tail are computed on zeros and dropped. */
#include "kernels.h"

#include "../engine/math.h"

#define GROUP (KERNEL_LANES / W) /* vectors that hold the 16 lanes */
#define INLINE static inline __attribute__((always_inline))

typedef float vf_any __attribute__((vector_size(4 * W), aligned(4), may_alias));

INLINE vf v_load(const float *p) { return (vf) * (const vf_any *)p; }
INLINE void v_store(float *p, vf x) { *(vf_any *)p = (vf_any)x; }
INLINE vf v_all(float x) { return x - (vf){0}; }

/* The r (<= W, or more) floats at p */
INLINE vf v_get(const float *p, size_t r) { return r >= W ? v_load(p) : v_load_part(p, r); }

INLINE void v_put(float *p, vf x, size_t r) {
    if (r >= W)
        v_store(p, x);
    else
        v_store_part(p, x, r);
}

INLINE vf v_pick(vi mask, vf yes, vf no) { return (vf)((mask & (vi)yes) | (~mask & (vi)no)); }

/* x in its first r lanes, 0 in the others */
INLINE vf v_keep(vf x, size_t r) {
    vi lane;
    for (int i = 0; i < W; i++)
        lane[i] = i;
    return (vf)((vi)x & (lane < (int32_t)(r < W ? r : W)));
}

INLINE float fold(const vf lane[GROUP]) {
    v4f x = v_fold(lane);
    return (x[0] + x[2]) + (x[1] + x[3]);
}

/* m_expf, operation by operation */
INLINE vf v_exp(vf x) {
    x = v_pick(x > M_EXPF_MAX, v_all(M_EXPF_MAX), x);
    x = v_pick(x < M_EXPF_MIN, v_all(M_EXPF_MIN), x);
    vf shifted = x * M_LOG2E_F + M_ROUND_F;
    vf whole = shifted - M_ROUND_F;
    vi n = (vi)shifted - (vi)v_all(M_ROUND_F);
    vf r = x - whole * M_LN2HI_F;
    r = r - whole * M_LN2LO_F;
    vf p = v_all(M_EXPF_P0);
    p = p * r + M_EXPF_P1;
    p = p * r + M_EXPF_P2;
    p = p * r + M_EXPF_P3;
    p = p * r + M_EXPF_P4;
    p = p * r + M_EXPF_P5;
    p = p * (r * r) + r;
    p = p + 1.0f;
    vi half = n >> 1;
    p = p * (vf)((half + 127) << 23);
    return p * (vf)((n - half + 127) << 23);
}

INLINE vf v_gelu(vf x) { return x / (v_exp(x * (x * x * M_GELU_B + M_GELU_A)) + 1.0f); }

INLINE vf v_gelu_slope(vf x) {
    vf s = 1.0f / (v_exp(x * (x * x * M_GELU_B + M_GELU_A)) + 1.0f);
    vf du = x * x * (-3.0f * M_GELU_B) - M_GELU_A;
    return x * s * (1.0f - s) * du + s;
}

/* -- vectors -- */

/* `columns` vectors side by side: rows of v are read whole, and additions need not wait for each other. */
INLINE void mix_columns(float *out, const float *p, const float *v, size_t t, size_t stride, const int columns) {
    vf y[4] = {{0}, {0}, {0}, {0}};
    for (size_t s = 0; s < t; s++)
#pragma GCC unroll 4
        for (int c = 0; c < columns; c++)
            y[c] += p[s] * v_load(v + s * stride + (size_t)c * W);
#pragma GCC unroll 4
    for (int c = 0; c < columns; c++)
        v_store(out + (size_t)c * W, y[c]);
}

static void mix(float *out, const float *p, const float *v, size_t t, size_t n, size_t stride) {
    size_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W)
        mix_columns(out + i, p, v + i, t, stride, 4);
    switch ((n - i) / W) {
    case 3: mix_columns(out + i, p, v + i, t, stride, 3); break;
    case 2: mix_columns(out + i, p, v + i, t, stride, 2); break;
    case 1: mix_columns(out + i, p, v + i, t, stride, 1); break;
    default: break;
    }
    i += (n - i) / W * W;
    if (i < n) {
        vf y = {0};
        for (size_t s = 0; s < t; s++)
            y += p[s] * v_load_part(v + s * stride + i, n - i);
        v_store_part(out + i, y, n - i);
    }
}

static void add(float *x, const float *y, size_t n) {
    for (size_t i = 0; i < n; i += W)
        v_put(x + i, v_get(x + i, n - i) + v_get(y + i, n - i), n - i);
}

static void scale(float *x, float a, size_t n) {
    for (size_t i = 0; i < n; i += W)
        v_put(x + i, v_get(x + i, n - i) * a, n - i);
}

static float sum(const float *x, size_t n) {
    vf lane[GROUP] = {{0}};
    for (size_t i = 0; i < n; i += KERNEL_LANES)
        for (size_t g = 0; g < GROUP && i + g * W < n; g++)
            lane[g] += v_get(x + i + g * W, n - i - g * W);
    return fold(lane);
}

static float largest(const float *x, size_t n) {
    vf most = v_all(x[0]);
    for (size_t i = 0; i + W <= n; i += W) {
        vf y = v_load(x + i);
        most = v_pick(y > most, y, most);
    }
    float max = most[0];
    for (int l = 1; l < W; l++)
        max = most[l] > max ? most[l] : max;
    for (size_t i = n - n % W; i < n; i++)
        max = x[i] > max ? x[i] : max;
    return max;
}

static void softmax(float *x, size_t n) {
    if (n == 0)
        return;
    float max = largest(x, n);
    for (size_t i = 0; i < n; i += W)
        v_put(x + i, v_exp(v_get(x + i, n - i) - max), n - i);
    float total = sum(x, n);
    for (size_t i = 0; i < n; i += W)
        v_put(x + i, v_get(x + i, n - i) / total, n - i);
}

/* 1 / sqrt(variance + eps) */
static float inverse_deviation(const float *x, float mean, size_t n, float eps) {
    vf lane[GROUP] = {{0}};
    for (size_t i = 0; i < n; i += KERNEL_LANES)
        for (size_t g = 0; g < GROUP && i + g * W < n; g++) {
            size_t left = n - i - g * W;
            vf d = v_keep(v_get(x + i + g * W, left) - mean, left);
            lane[g] += d * d;
        }
    return 1.0f / m_sqrtf(fold(lane) / (float)n + eps);
}

static void layernorm(float *out, const float *x, const float *w, const float *b, size_t n, float eps) {
    float mean = sum(x, n) / (float)n, rstd = inverse_deviation(x, mean, n, eps);
    for (size_t i = 0; i < n; i += W) {
        vf y = (v_get(x + i, n - i) - mean) * rstd * v_get(w + i, n - i) + v_get(b + i, n - i);
        v_put(out + i, y, n - i);
    }
}

static void gelu(float *x, size_t n) {
    for (size_t i = 0; i < n; i += W)
        v_put(x + i, v_gelu(v_get(x + i, n - i)), n - i);
}

static void rmsnorm(float *out, const float *x, const float *w, size_t n, float eps) {
    vf lane[GROUP] = {{0}};
    for (size_t i = 0; i < n; i += KERNEL_LANES)
        for (size_t g = 0; g < GROUP && i + g * W < n; g++) {
            vf y = v_get(x + i + g * W, n - i - g * W);
            lane[g] += y * y;
        }
    float factor = 1.0f / m_sqrtf(fold(lane) / (float)n + eps);
    for (size_t i = 0; i < n; i += W)
        v_put(out + i, v_get(x + i, n - i) * factor * v_get(w + i, n - i), n - i);
}

static void swiglu(float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i += W) {
        vf g = v_get(gate + i, n - i);
        v_put(gate + i, g / (v_exp(-g) + 1.0f) * v_get(up + i, n - i), n - i);
    }
}

static void rope(float *x, const float *cosine, const float *sine, size_t n) {
    vf minus_first; /* sign bits: a rotation's first row subtracts */
    for (int l = 0; l < W; l++)
        minus_first[l] = l % 2 ? 0.0f : -0.0f;
    size_t i = 0;
    for (; i + W <= n; i += W) {
        vf pairs = v_load(x + i), s = (vf)((vi)v_twice(sine + i / 2) ^ (vi)minus_first);
        v_store(x + i, pairs * v_twice(cosine + i / 2) + v_swap(pairs) * s);
    }
    for (; i + 2 <= n; i += 2) {
        float a = x[i], b = x[i + 1], c = cosine[i / 2], s = sine[i / 2];
        x[i] = a * c - b * s;
        x[i + 1] = a * s + b * c;
    }
}

#include "matmul_simd.h"
#include "quant_simd.h"
#include "train_simd.h"

const struct kernels TABLE = {
    .name = TABLE_NAME,
    .matvec = matvec,
    .mix = mix,
    .add = add,
    .scale = scale,
    .softmax = softmax,
    .layernorm = layernorm,
    .gelu = gelu,
    .matmul_f32 = matmul_f32,
    .matmul_f16 = matmul_f16,
    .matmul_q8_0 = matmul_q8_0,
    .matmul_q4_0 = matmul_q4_0,
    .matmul_q8_g = matmul_q8_g,
    .quantize = quantize,
    .rmsnorm = rmsnorm,
    .swiglu = swiglu,
    .rope = rope,
    .gemm = gemm,
    .gelu_backward = gelu_backward,
    .softmax_backward = softmax_backward,
    .layernorm_backward = layernorm_backward,
    .adamw = adamw,
};
