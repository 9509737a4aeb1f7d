/* The arithmetic, one table per instruction set. Every table gives the same bits.
 *
 * Dot products use 16 virtual lanes: element i goes to lane i mod 16, the tail is padded with
 * zeros, and the lanes are folded 16 -> 8 -> 4 -> 2 -> 1 (lane l += lane l + half). Sums of one
 * vector use the same lanes. Weighted sums and gemm add over k in order, outputs across the
 * vector. Multiplications and additions are never fused. Elementwise functions are the ones of
 * engine/math.h. Arrays need no alignment; any size, 0 included, is allowed unless said otherwise. */
#ifndef INGOT_KERNELS_H
#define INGOT_KERNELS_H

#include "quant.h"
#include <stddef.h>
#include <stdint.h>

#define KERNEL_LANES 16

/* The constants of one AdamW step; the trainer computes them in double and rounds them once. */
struct adamw {
    float grad_scale;    /* gradients are multiplied by this first (clipping) */
    float beta1, beta2;  /* decay of the two moments */
    float keep1, keep2;  /* 1 - beta1, 1 - beta2 */
    float fix1, fix2;    /* bias corrections: 1 / (1 - beta^step) */
    float lr, eps, decay; /* decay: lr * weight decay */
};

struct kernels {
    const char *name; /* "scalar", "sse2", "avx2", "avx512", "avx512vnni"; selection can mix: "avx2+scalar" */

    /* w (d,n) @ x (n) + b (d) -> out (d); b may be NULL */
    void (*matvec)(float *out, const float *w, const float *x, const float *b, size_t d, size_t n);
    /* sum over t of p (t) * v (t,n; row stride `stride`) -> out (n), in the order of t */
    void (*mix)(float *out, const float *p, const float *v, size_t t, size_t n, size_t stride);
    /* x (n) + y (n) -> x (n) */
    void (*add)(float *x, const float *y, size_t n);
    /* x (n) * a -> x (n) */
    void (*scale)(float *x, float a, size_t n);
    /* softmax of x (n), in place: exp(x - max) / sum */
    void (*softmax)(float *x, size_t n);
    /* (x - mean) / sqrt(variance + eps) * w + b -> out (n); out may be x */
    void (*layernorm)(float *out, const float *x, const float *w, const float *b, size_t n, float eps);
    /* GELU, tanh approximation, of x (n), in place */
    void (*gelu)(float *x, size_t n);

    /* -- weights as they lie in model files; x and out in batches of m rows -- */

    /* w (d,n) @ x (m,n) -> out (m,d; row stride ldo). Row r of out has the same bits whatever m is. */
    void (*matmul_f32)(float *out, size_t ldo, const float *w, const float *x, size_t d, size_t n, size_t m);
    void (*matmul_f16)(float *out, size_t ldo, const uint16_t *w, const float *x, size_t d, size_t n, size_t m);
    /* n is a multiple of 32; w: rows of n/32 blocks (quant.h), x: m rows that quantize made */
    void (*matmul_q8_0)(float *out, size_t ldo, const struct q8_0 *w, const struct q8_rows *x, size_t d, size_t n,
                        size_t m);
    void (*matmul_q4_0)(float *out, size_t ldo, const struct q4_0 *w, const struct q8_rows *x, size_t d, size_t n,
                        size_t m);
    /* llama2.c v2: w (d,n) int8, scale (d,n/group) float, group a multiple of 32 */
    void (*matmul_q8_g)(float *out, size_t ldo, const int8_t *w, const float *scale, size_t group,
                        const struct q8_rows *x, size_t d, size_t n, size_t m);
    /* x (n; a multiple of 32) -> q (n), d (n/32): quant.h */
    void (*quantize)(int8_t *q, float *d, const float *x, size_t n);
    /* x * w / sqrt(mean(x^2) + eps) -> out (n); out may be x */
    void (*rmsnorm)(float *out, const float *x, const float *w, size_t n, float eps);
    /* gate * sigmoid(gate) * up -> gate (n) */
    void (*swiglu)(float *gate, const float *up, size_t n);
    /* rotates pairs (x[2i], x[2i+1]) of x (n) by the angles with these cosines and sines (n/2) */
    void (*rope)(float *x, const float *cosine, const float *sine, size_t n);

    /* -- training (used by train/ alone) -- */

    /* a (m,k; element i,p at a[i*ars + p*acs]) @ b (k,n; row stride ldb) -> c (m,n; row stride
     * ldc); starts from c when `accumulate` is not 0, else from 0 */
    void (*gemm)(float *c, size_t ldc, const float *a, size_t ars, size_t acs, const float *b,
                 size_t ldb, size_t m, size_t n, size_t k, int accumulate);
    /* dx (n) * gelu'(x (n)) -> dx */
    void (*gelu_backward)(float *dx, const float *x, size_t n);
    /* p (n) = softmax, dp (n) = d loss / d p -> dp = d loss / d input: p * (dp - sum(p * dp)) */
    void (*softmax_backward)(float *dp, const float *p, size_t n);
    /* One row of LayerNorm: from dy (n) and the forward pass's x and w, adds to dx, dw and db (n) */
    void (*layernorm_backward)(float *dx, float *dw, float *db, const float *dy, const float *x,
                               const float *w, size_t n, float eps);
    /* w (n) -= lr * fix1 * m / (sqrt(fix2 * v) + eps) + decay * w, after updating m and v (n) from g (n) */
    void (*adamw)(float *w, float *m, float *v, const float *g, size_t n, const struct adamw *step);
};

extern const struct kernels kernels_scalar, kernels_sse2, kernels_avx2, kernels_avx512, kernels_avx512vnni;

#endif
