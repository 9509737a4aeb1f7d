/* The part of simd.h that trains; simd.h includes it. */

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
