/* The reference: what every other table must give, bit for bit. Read kernels.h first. */
#include "kernels.h"

#include "../engine/math.h"
#include "scalar_quant.h"

/* 16 lanes -> one number: lane l += lane l + half */
static float fold(float lane[KERNEL_LANES]) {
    for (size_t half = KERNEL_LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

static float dot(const float *x, const float *y, size_t n) {
    float lane[KERNEL_LANES] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % KERNEL_LANES] += x[i] * y[i];
    return fold(lane);
}

static float sum(const float *x, size_t n) {
    float lane[KERNEL_LANES] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % KERNEL_LANES] += x[i];
    return fold(lane);
}

static void matvec(float *out, const float *w, const float *x, const float *b, size_t d, size_t n) {
    for (size_t i = 0; i < d; i++) {
        float y = dot(w + i * n, x, n);
        out[i] = b ? y + b[i] : y;
    }
}

static void mix(float *out, const float *p, const float *v, size_t t, size_t n, size_t stride) {
    for (size_t i = 0; i < n; i++)
        out[i] = 0.0f;
    for (size_t s = 0; s < t; s++)
        for (size_t i = 0; i < n; i++)
            out[i] += p[s] * v[s * stride + i];
}

static void add(float *x, const float *y, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
}

static void scale(float *x, float a, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] *= a;
}

static void softmax(float *x, size_t n) {
    if (n == 0)
        return;
    float max = x[0];
    for (size_t i = 1; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (size_t i = 0; i < n; i++)
        x[i] = m_expf(x[i] - max);
    float total = sum(x, n);
    for (size_t i = 0; i < n; i++)
        x[i] /= total;
}

static float mean_of(const float *x, size_t n) { return sum(x, n) / (float)n; }

/* 1 / sqrt(variance + eps) */
static float inverse_deviation(const float *x, float mean, size_t n, float eps) {
    float lane[KERNEL_LANES] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % KERNEL_LANES] += (x[i] - mean) * (x[i] - mean);
    return 1.0f / m_sqrtf(fold(lane) / (float)n + eps);
}

static void layernorm(float *out, const float *x, const float *w, const float *b, size_t n, float eps) {
    float mean = mean_of(x, n), rstd = inverse_deviation(x, mean, n, eps);
    for (size_t i = 0; i < n; i++)
        out[i] = (x[i] - mean) * rstd * w[i] + b[i];
}

static void gelu(float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = m_geluf(x[i]);
}

static void matmul_f32(float *out, size_t ldo, const float *w, const float *x, size_t d, size_t n, size_t m) {
    for (size_t i = 0; i < d; i++)
        for (size_t r = 0; r < m; r++)
            out[r * ldo + i] = dot(w + i * n, x + r * n, n);
}

static void matmul_f16(float *out, size_t ldo, const uint16_t *w, const float *x, size_t d, size_t n, size_t m) {
    for (size_t i = 0; i < d; i++)
        for (size_t r = 0; r < m; r++) {
            float lane[KERNEL_LANES] = {0};
            for (size_t j = 0; j < n; j++)
                lane[j % KERNEL_LANES] += quant_half(w[i * n + j]) * x[r * n + j];
            out[r * ldo + i] = fold(lane);
        }
}

static void quantize(int8_t *q, float *d, const float *x, size_t n) {
    for (size_t b = 0; b < n / QUANT_BLOCK; b++, x += QUANT_BLOCK, q += QUANT_BLOCK) {
        uint32_t most = 0;
        for (size_t i = 0; i < QUANT_BLOCK; i++) {
            uint32_t bits = m_bits_f(x[i]) & 0x7fffffffu;
            most = bits > most ? bits : most;
        }
        float max = m_from_bits_f(most), inverse = 127.0f / max;
        d[b] = quant_scale(max);
        for (size_t i = 0; i < QUANT_BLOCK; i++) {
            float y = x[i] * inverse;
            y = y > 127.0f ? 127.0f : y;
            y = y < -127.0f ? -127.0f : y;
            y = y == y ? y : 0.0f; /* 0 * infinity, and what is not finite */
            q[i] = (int8_t)(m_bits_f(y + M_ROUND_F) - m_bits_f(M_ROUND_F));
        }
    }
}

static void rmsnorm(float *out, const float *x, const float *w, size_t n, float eps) {
    float factor = 1.0f / m_sqrtf(dot(x, x, n) / (float)n + eps);
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] * factor * w[i];
}

static void swiglu(float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++)
        gate[i] = gate[i] / (m_expf(-gate[i]) + 1.0f) * up[i];
}

static void rope(float *x, const float *cosine, const float *sine, size_t n) {
    for (size_t i = 0; i + 2 <= n; i += 2) {
        float a = x[i], b = x[i + 1], c = cosine[i / 2], s = sine[i / 2];
        x[i] = a * c - b * s;
        x[i + 1] = a * s + b * c;
    }
}

static void gemm(float *c, size_t ldc, const float *a, size_t ars, size_t acs, const float *b, size_t ldb,
                 size_t m, size_t n, size_t k, int accumulate) {
    for (size_t i = 0; i < m; i++) {
        float *row = c + i * ldc;
        for (size_t j = 0; j < n && !accumulate; j++)
            row[j] = 0.0f;
        for (size_t p = 0; p < k; p++)
            for (size_t j = 0; j < n; j++)
                row[j] += a[i * ars + p * acs] * b[p * ldb + j];
    }
}

static void gelu_backward(float *dx, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        dx[i] *= m_gelu_slopef(x[i]);
}

static void softmax_backward(float *dp, const float *p, size_t n) {
    float s = dot(p, dp, n);
    for (size_t i = 0; i < n; i++)
        dp[i] = p[i] * (dp[i] - s);
}

/* With h = (x - mean) * rstd and g = dy * w: dx = rstd * (g - mean(g) - h * mean(g * h)). */
static void layernorm_backward(float *dx, float *dw, float *db, const float *dy, const float *x,
                               const float *w, size_t n, float eps) {
    float mean = mean_of(x, n), rstd = inverse_deviation(x, mean, n, eps);
    float lane_g[KERNEL_LANES] = {0}, lane_gh[KERNEL_LANES] = {0};
    for (size_t i = 0; i < n; i++) {
        float h = (x[i] - mean) * rstd, g = dy[i] * w[i];
        lane_g[i % KERNEL_LANES] += g;
        lane_gh[i % KERNEL_LANES] += g * h;
        dw[i] += dy[i] * h;
        db[i] += dy[i];
    }
    float mean_g = fold(lane_g) / (float)n, mean_gh = fold(lane_gh) / (float)n;
    for (size_t i = 0; i < n; i++) {
        float h = (x[i] - mean) * rstd, g = dy[i] * w[i];
        dx[i] += (g - mean_g - h * mean_gh) * rstd;
    }
}

static void adamw(float *w, float *m, float *v, const float *g, size_t n, const struct adamw *step) {
    for (size_t i = 0; i < n; i++) {
        float d = g[i] * step->grad_scale;
        m[i] = m[i] * step->beta1 + d * step->keep1;
        v[i] = v[i] * step->beta2 + d * d * step->keep2;
        float change = m[i] * step->fix1 / (m_sqrtf(v[i] * step->fix2) + step->eps);
        w[i] = w[i] - (change * step->lr + w[i] * step->decay);
    }
}

const struct kernels kernels_scalar = {
    .name = "scalar",
    .matvec = matvec,
    .mix = mix,
    .add = add,
    .scale = scale,
    .softmax = softmax,
    .layernorm = layernorm,
    .gelu = gelu,
    .matmul_f32 = matmul_f32,
    .matmul_f16 = matmul_f16,
    .matmul_q8_0 = scalar_matmul_q8_0,
    .matmul_q4_0 = scalar_matmul_q4_0,
    .matmul_q8_g = scalar_matmul_q8_g,
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
