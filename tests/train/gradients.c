/* Compares the backward pass with central differences. The trainer's own sources are compiled with
 * -Dfloat=double, and with the plain kernels below, so that the differences are good to 7 digits.
 *
 * Exit 0: every tensor agrees; 1: one does not (says which). */
#include "train/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(double *x, const double *y, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
}

static void scale(double *x, double a, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] *= a;
}

static void softmax(double *x, size_t n) {
    double total = 0;
    for (size_t i = 0; i < n; i++)
        total += exp(x[i]);
    for (size_t i = 0; i < n; i++)
        x[i] = exp(x[i]) / total;
}

static double moments(const double *x, size_t n, double eps, double *mean) {
    double square = 0;
    *mean = 0;
    for (size_t i = 0; i < n; i++)
        *mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        square += (x[i] - *mean) * (x[i] - *mean) / (double)n;
    return 1 / sqrt(square + eps);
}

static void layernorm(double *out, const double *x, const double *w, const double *b, size_t n, double eps) {
    double mean, rstd = moments(x, n, eps, &mean);
    for (size_t i = 0; i < n; i++)
        out[i] = (x[i] - mean) * rstd * w[i] + b[i];
}

static void layernorm_backward(double *dx, double *dw, double *db, const double *dy, const double *x,
                               const double *w, size_t n, double eps) {
    double mean, rstd = moments(x, n, eps, &mean), g = 0, gh = 0;
    for (size_t i = 0; i < n; i++) {
        double h = (x[i] - mean) * rstd;
        g += dy[i] * w[i] / (double)n;
        gh += dy[i] * w[i] * h / (double)n;
        dw[i] += dy[i] * h;
        db[i] += dy[i];
    }
    for (size_t i = 0; i < n; i++)
        dx[i] += rstd * (dy[i] * w[i] - g - (x[i] - mean) * rstd * gh);
}

static void gelu(double *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = 0.5 * x[i] * (1 + tanh(sqrt(2 / M_PI) * (x[i] + 0.044715 * x[i] * x[i] * x[i])));
}

static void gelu_backward(double *dx, const double *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double t = tanh(sqrt(2 / M_PI) * (x[i] + 0.044715 * x[i] * x[i] * x[i]));
        dx[i] *= 0.5 * (1 + t) + 0.5 * x[i] * (1 - t * t) * sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x[i] * x[i]);
    }
}

static void softmax_backward(double *dp, const double *p, size_t n) {
    double s = 0;
    for (size_t i = 0; i < n; i++)
        s += p[i] * dp[i];
    for (size_t i = 0; i < n; i++)
        dp[i] = p[i] * (dp[i] - s);
}

static void gemm(double *c, size_t ldc, const double *a, size_t ars, size_t acs, const double *b, size_t ldb,
                 size_t m, size_t n, size_t k, int accumulate) {
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = accumulate ? c[i * ldc + j] : 0;
            for (size_t p = 0; p < k; p++)
                sum += a[i * ars + p * acs] * b[p * ldb + j];
            c[i * ldc + j] = sum;
        }
}

static const struct kernels plain = {.name = "plain", .add = add, .scale = scale, .softmax = softmax,
                                     .layernorm = layernorm, .gelu = gelu, .gemm = gemm,
                                     .gelu_backward = gelu_backward, .softmax_backward = softmax_backward,
                                     .layernorm_backward = layernorm_backward};

#define SEQUENCES 3
#define TOKENS 37 /* three blocks of attention, the last one short */

static struct params params;
static struct model model;
static struct work work;
static double *weights, *transposed, *gradient;
static const uint16_t *windows[SEQUENCES];

static double loss(void) {
    double each[SEQUENCES], total = 0;
    for (size_t i = 0; i < params.count; i++)
        model_transpose(&model, i, weights, transposed);
    model_forward(&model, &work, windows, SEQUENCES, TOKENS, each);
    for (size_t s = 0; s < SEQUENCES; s++)
        total += each[s];
    return total / (SEQUENCES * TOKENS);
}

int main(void) {
    _Static_assert(sizeof(float) == sizeof(double), "compile with -Dfloat=double");
    struct shape config = {.vocab = 13, .context = 40, .layers = 2, .heads = 2, .width = 10, .hidden = 40,
                                 .eps = 1e-5};
    static uint16_t ids[SEQUENCES][TOKENS + 1];
    if (!params_plan(&params, &config) || !work_alloc(&work, &params, SEQUENCES))
        return 2;
    weights = calloc(params.floats, sizeof *weights);
    transposed = calloc(params.floats, sizeof *transposed);
    gradient = calloc(params.floats, sizeof *gradient);
    srand(1);
    for (size_t s = 0; s < SEQUENCES; s++) {
        windows[s] = ids[s];
        for (size_t t = 0; t <= TOKENS; t++)
            ids[s][t] = (uint16_t)(rand() % 13);
    }
    params_init(&params, weights, 1);
    for (size_t i = 0; i < params.floats; i++) /* far from the start, where biases are 0 and gains 1 */
        weights[i] += 0.6 * rand() / RAND_MAX - 0.3;
    model.params = &params;
    model.k = &plain;
    params_view(&params, weights, &model.w);
    params_view(&params, transposed, &model.wt);

    struct view view;
    params_view(&params, gradient, &view);
    double first = loss();
    model_backward(&model, &work, windows, SEQUENCES, TOKENS, 1.0 / (SEQUENCES * TOKENS), &view);
    if (!(first > 1.0 && first < 10.0)) {
        printf("the loss is %g\n", first);
        return 1;
    }
    int bad = 0;
    for (size_t i = 0; i < params.count; i++) {
        const struct parameter *t = &params.tensor[i];
        size_t n = t->rows * t->cols, step = n / 40 + 1;
        double worst = 0, largest = 0;
        for (size_t j = 0; j < n; j += step) {
            double *w = &weights[t->at + j], kept = *w, h = 1e-5;
            *w = kept + h;
            double above = loss();
            *w = kept - h;
            double below = loss();
            *w = kept;
            double want = (above - below) / (2 * h), error = fabs(want - gradient[t->at + j]);
            worst = error > worst ? error : worst;
            largest = fabs(want) > largest ? fabs(want) : largest;
        }
        int wrong = !(worst <= 1e-6 * largest + 1e-9) || largest == 0;
        printf("tensor %zu (%zux%zu): largest %.3e, worst error %.1e%s\n", i, t->rows, t->cols, largest, worst,
               wrong ? "  WRONG" : "");
        bad |= wrong;
    }
    return bad;
}
