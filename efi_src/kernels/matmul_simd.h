/* Matrix products with weights in single and half precision; simd.h includes it. */

/* Rows of w with one row of x: enough sums in flight to hide the latency of an addition. */
#define MATVEC_ROWS 4

/* The `left` (<= W, or more) weights number i of w */
INLINE vf v_weights(const void *w, size_t i, size_t left, const int half) {
    if (!half)
        return v_get((const float *)w + i, left);
    const uint16_t *from = (const uint16_t *)w + i;
    if (left >= W)
        return v_half(from);
    uint16_t part[W] = {0};
    for (size_t l = 0; l < left; l++)
        part[l] = from[l];
    return v_half(part);
}

/* w (rows,n) @ x (xs,n) + b (rows) -> out (xs,rows; row stride ldo) */
INLINE void dot_tile(float *out, size_t ldo, const void *w, const float *x, const float *b, size_t n,
                     const int rows, const int xs, const int half) {
    vf lane[4][4][GROUP];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int s = 0; s < xs; s++)
#pragma GCC unroll 4
            for (int g = 0; g < GROUP; g++)
                lane[r][s][g] = (vf){0};
    size_t i = 0;
    for (; i + KERNEL_LANES <= n; i += KERNEL_LANES)
#pragma GCC unroll 4
        for (int g = 0; g < GROUP; g++) {
            vf row[4];
            size_t at = i + (size_t)g * W;
#pragma GCC unroll 4
            for (int s = 0; s < xs; s++)
                row[s] = v_load(x + (size_t)s * n + at);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++) {
                vf weights = v_weights(w, (size_t)r * n + at, W, half);
#pragma GCC unroll 4
                for (int s = 0; s < xs; s++)
                    lane[r][s][g] += weights * row[s];
            }
        }
#pragma GCC unroll 4
    for (int g = 0; g < GROUP; g++)
        if (i + (size_t)g * W < n) {
            size_t at = i + (size_t)g * W, left = n - at;
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++) {
                vf weights = v_weights(w, (size_t)r * n + at, left, half);
#pragma GCC unroll 4
                for (int s = 0; s < xs; s++)
                    lane[r][s][g] += weights * v_get(x + (size_t)s * n + at, left);
            }
        }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int s = 0; s < xs; s++) {
            float y = fold(lane[r][s]);
            out[(size_t)s * ldo + (size_t)r] = b ? y + b[r] : y;
        }
}

INLINE void dot_rows(float *out, const void *w, const float *x, const float *b, size_t d, size_t n, const int half) {
    const size_t bytes = half ? sizeof(uint16_t) : sizeof(float);
    size_t i = 0;
    for (; i + MATVEC_ROWS <= d; i += MATVEC_ROWS)
        dot_tile(out + i, 0, (const char *)w + i * n * bytes, x, b ? b + i : NULL, n, MATVEC_ROWS, 1, half);
    for (; i < d; i++)
        dot_tile(out + i, 0, (const char *)w + i * n * bytes, x, b ? b + i : NULL, n, 1, 1, half);
}

static void matvec(float *out, const float *w, const float *x, const float *b, size_t d, size_t n) {
    dot_rows(out, w, x, b, d, n, 0);
}

/* Some rows of w stay in the cache for all rows of x: w is read from memory once. */
INLINE void matmul(float *out, size_t ldo, const void *w, const float *x, size_t d, size_t n, size_t m,
                   const int half) {
    const size_t bytes = half ? sizeof(uint16_t) : sizeof(float);
    if (m == 1) {
        dot_rows(out, w, x, NULL, d, n, half);
        return;
    }
    for (size_t i = 0; i < d; i += TILE_W) {
        size_t rows = d - i < TILE_W ? d - i : TILE_W, r = 0;
        const char *at = (const char *)w + i * n * bytes;
        for (; rows == TILE_W && r + TILE_X <= m; r += TILE_X)
            dot_tile(out + r * ldo + i, ldo, at, x + r * n, NULL, n, TILE_W, TILE_X, half);
        for (; r < m; r++)
            dot_rows(out + r * ldo + i, at, x + r * n, NULL, rows, n, half);
    }
}

static void matmul_f32(float *out, size_t ldo, const float *w, const float *x, size_t d, size_t n, size_t m) {
    matmul(out, ldo, w, x, d, n, m, 0);
}

static void matmul_f16(float *out, size_t ldo, const uint16_t *w, const float *x, size_t d, size_t n, size_t m) {
    matmul(out, ldo, w, x, d, n, m, 1);
}
