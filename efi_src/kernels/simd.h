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

/* Rows of one matvec block: enough sums in flight to hide the latency of an addition. */
#define MATVEC_ROWS 4

/* w (rows,n) @ x (n) -> out (rows) */
INLINE void matvec_rows(float *out, const float *w, const float *x, const float *b, size_t n,
                        const int rows) {
    vf lane[MATVEC_ROWS][GROUP];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int g = 0; g < GROUP; g++)
            lane[r][g] = (vf){0};
    size_t i = 0;
    for (; i + KERNEL_LANES <= n; i += KERNEL_LANES)
#pragma GCC unroll 4
        for (int g = 0; g < GROUP; g++) {
            vf xs = v_load(x + i + g * W);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++)
                lane[r][g] += v_load(w + (size_t)r * n + i + g * W) * xs;
        }
#pragma GCC unroll 4
    for (int g = 0; g < GROUP; g++)
        if (i + g * W < n) {
            size_t left = n - i - g * W;
            vf xs = v_get(x + i + g * W, left);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++)
                lane[r][g] += v_get(w + (size_t)r * n + i + g * W, left) * xs;
        }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
        float y = fold(lane[r]);
        out[r] = b ? y + b[r] : y;
    }
}

static void matvec(float *out, const float *w, const float *x, const float *b, size_t d, size_t n) {
    size_t i = 0;
    for (; i + MATVEC_ROWS <= d; i += MATVEC_ROWS)
        matvec_rows(out + i, w + i * n, x, b ? b + i : NULL, n, MATVEC_ROWS);
    for (; i < d; i++)
        matvec_rows(out + i, w + i * n, x, b ? b + i : NULL, n, 1);
}

static void mix(float *out, const float *p, const float *v, size_t t, size_t n, size_t stride) {
    for (size_t i = 0; i < n; i += W) {
        vf y = {0};
        if (n - i >= W)
            for (size_t s = 0; s < t; s++)
                y += p[s] * v_load(v + s * stride + i);
        else
            for (size_t s = 0; s < t; s++)
                y += p[s] * v_load_part(v + s * stride + i, n - i);
        v_put(out + i, y, n - i);
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

/* -- training -- */

#define TILE_ROWS 4

/* c (rows, cols*W) [+]= a (rows,k) @ b (k, cols*W): one tile, kept in registers over the whole of
 * k; `left` floats of its last vector exist (W: all). */
INLINE void tile(float *c, size_t ldc, const float *a, size_t ars, size_t acs, const float *b, size_t ldb,
                 size_t k, int accumulate, size_t left, const int rows, const int cols) {
    vf sum[TILE_ROWS][TILE_COLUMNS];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            sum[r][j] = accumulate ? v_get(c + (size_t)r * ldc + j * W, left) : (vf){0};
    for (size_t p = 0; p < k; p++, a += acs, b += ldb) {
        vf row[TILE_COLUMNS];
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            row[j] = v_get(b + j * W, left);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int j = 0; j < cols; j++)
                sum[r][j] += v_times(a + (size_t)r * ars, row[j]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            v_put(c + (size_t)r * ldc + j * W, sum[r][j], left);
}

/* All rows of the columns that one tile spans. */
INLINE void panel(float *c, size_t ldc, const float *a, size_t ars, size_t acs, const float *b, size_t ldb,
                  size_t m, size_t k, int accumulate, size_t left, const int cols) {
    size_t i = 0;
    for (; i + TILE_ROWS <= m; i += TILE_ROWS)
        tile(c + i * ldc, ldc, a + i * ars, ars, acs, b, ldb, k, accumulate, left, TILE_ROWS, cols);
    for (; i < m; i++)
        tile(c + i * ldc, ldc, a + i * ars, ars, acs, b, ldb, k, accumulate, left, 1, cols);
}

static void gemm(float *c, size_t ldc, const float *a, size_t ars, size_t acs, const float *b, size_t ldb,
                 size_t m, size_t n, size_t k, int accumulate) {
    size_t j = 0;
#if TILE_COLUMNS >= 4
    for (; j + 4 * W <= n; j += 4 * W)
        panel(c + j, ldc, a, ars, acs, b + j, ldb, m, k, accumulate, W, 4);
#endif
    for (; j + 2 * W <= n; j += 2 * W)
        panel(c + j, ldc, a, ars, acs, b + j, ldb, m, k, accumulate, W, 2);
    for (; j + W <= n; j += W)
        panel(c + j, ldc, a, ars, acs, b + j, ldb, m, k, accumulate, W, 1);
    if (j < n)
        panel(c + j, ldc, a, ars, acs, b + j, ldb, m, k, accumulate, n - j, 1);
}

static void gelu_backward(float *dx, const float *x, size_t n) {
    for (size_t i = 0; i < n; i += W)
        v_put(dx + i, v_get(dx + i, n - i) * v_gelu_slope(v_get(x + i, n - i)), n - i);
}

static void softmax_backward(float *dp, const float *p, size_t n) {
    vf lane[GROUP] = {{0}};
    for (size_t i = 0; i < n; i += KERNEL_LANES)
        for (size_t g = 0; g < GROUP && i + g * W < n; g++) {
            size_t at = i + g * W;
            lane[g] += v_get(p + at, n - at) * v_get(dp + at, n - at);
        }
    float s = fold(lane);
    for (size_t i = 0; i < n; i += W)
        v_put(dp + i, v_get(p + i, n - i) * (v_get(dp + i, n - i) - s), n - i);
}

static void layernorm_backward(float *dx, float *dw, float *db, const float *dy, const float *x,
                               const float *w, size_t n, float eps) {
    float mean = sum(x, n) / (float)n, rstd = inverse_deviation(x, mean, n, eps);
    vf lane_g[GROUP] = {{0}}, lane_gh[GROUP] = {{0}};
    for (size_t i = 0; i < n; i += KERNEL_LANES)
        for (size_t j = 0; j < GROUP && i + j * W < n; j++) {
            size_t at = i + j * W, left = n - at;
            vf d = v_get(dy + at, left), h = (v_get(x + at, left) - mean) * rstd, g = d * v_get(w + at, left);
            lane_g[j] += v_keep(g, left);
            lane_gh[j] += v_keep(g * h, left);
            v_put(dw + at, v_get(dw + at, left) + d * h, left);
            v_put(db + at, v_get(db + at, left) + d, left);
        }
    float mean_g = fold(lane_g) / (float)n, mean_gh = fold(lane_gh) / (float)n;
    for (size_t i = 0; i < n; i += W) {
        vf h = (v_get(x + i, n - i) - mean) * rstd, g = v_get(dy + i, n - i) * v_get(w + i, n - i);
        v_put(dx + i, v_get(dx + i, n - i) + (g - mean_g - h * mean_gh) * rstd, n - i);
    }
}

static void adamw(float *w, float *m, float *v, const float *g, size_t n, const struct adamw *step) {
    for (size_t i = 0; i < n; i += W) {
        size_t left = n - i;
        vf d = v_get(g + i, left) * step->grad_scale, old = v_get(w + i, left);
        vf m1 = v_get(m + i, left) * step->beta1 + d * step->keep1;
        vf v1 = v_get(v + i, left) * step->beta2 + d * d * step->keep2;
        vf change = m1 * step->fix1 / (v_sqrt(v1 * step->fix2) + step->eps);
        v_put(m + i, m1, left);
        v_put(v + i, v1, left);
        v_put(w + i, old - (change * step->lr + old * step->decay), left);
    }
}

const struct kernels TABLE = {
    .name = TABLE_NAME,
    .matvec = matvec,
    .mix = mix,
    .add = add,
    .scale = scale,
    .softmax = softmax,
    .layernorm = layernorm,
    .gelu = gelu,
    .gemm = gemm,
    .gelu_backward = gelu_backward,
    .softmax_backward = softmax_backward,
    .layernorm_backward = layernorm_backward,
    .adamw = adamw,
};
