/* The speed of one table's products.
 *
 *   kernels TABLE COLUMNS ROWS      one line a kind of weight: its name, nanoseconds, bytes, multiplications
 *   exit 77: this CPU cannot run the table */
#include "kernels/cpu.h"
#include "kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 8 /* rows of x in a prefill */
#define TRIALS 5

enum kind { F32, F16, Q8_0, Q4_0, Q8_G, F32_BATCH, Q8_0_BATCH, KINDS };

static const char *const names[KINDS] = {"f32", "f16", "q8_0", "q4_0", "q8_g", "f32 x8", "q8_0 x8"};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *room(size_t bytes) {
    void *p = malloc(bytes);
    if (!p)
        exit(2);
    for (size_t i = 0; i < bytes; i++) /* ordinary exponents and scales, wherever a format has them */
        ((unsigned char *)p)[i] = (unsigned char)(i % 2 ? 0x2c : i * 37 >> 3);
    return p;
}

static void once(const struct kernels *k, enum kind kind, const void *w, const float *x, const struct q8_rows *q,
                 float *out, const float *scale, size_t d, size_t n) {
    switch (kind) {
    case F32: k->matmul_f32(out, d, w, x, d, n, 1); break;
    case F16: k->matmul_f16(out, d, w, x, d, n, 1); break;
    case Q8_0: k->matmul_q8_0(out, d, w, q, d, n, 1); break;
    case Q4_0: k->matmul_q4_0(out, d, w, q, d, n, 1); break;
    case Q8_G: k->matmul_q8_g(out, d, w, scale, 64, q, d, n, 1); break;
    case F32_BATCH: k->matmul_f32(out, d, w, x, d, n, BATCH); break;
    default: k->matmul_q8_0(out, d, w, q, d, n, BATCH); break;
    }
}

static size_t weight_bytes(enum kind kind, size_t count) {
    switch (kind) {
    case F32: case F32_BATCH: return count * sizeof(float);
    case F16: return count * sizeof(uint16_t);
    case Q4_0: return count / QUANT_BLOCK * sizeof(struct q4_0);
    case Q8_G: return count + count / 64 * sizeof(float);
    default: return count / QUANT_BLOCK * sizeof(struct q8_0);
    }
}

int main(int argc, char **argv) {
    static const struct {
        const struct kernels *table;
        uint32_t needs;
    } tables[] = {
        {&kernels_scalar, 0},
        {&kernels_sse2, CPU_SSE2},
        {&kernels_avx2, CPU_AVX2 | CPU_F16C},
        {&kernels_avx512, CPU_AVX512 | CPU_F16C},
        {&kernels_avx512vnni, CPU_AVX512VNNI | CPU_F16C},
    };
    struct cpu_leaves leaves = cpu_detect();
    uint32_t features = cpu_features(&leaves);
    const struct kernels *k = NULL;
    for (size_t i = 0; argc == 4 && i < sizeof tables / sizeof tables[0]; i++)
        if (strcmp(argv[1], tables[i].table->name) == 0) {
            if ((features & tables[i].needs) != tables[i].needs)
                return 77;
            k = tables[i].table;
        }
    if (!k)
        return 2;
    size_t n = strtoul(argv[2], NULL, 10), d = strtoul(argv[3], NULL, 10), blocks = n / QUANT_BLOCK;
    float *x = room(BATCH * n * sizeof *x), *out = room(BATCH * d * sizeof *out), *dx = room(BATCH * blocks * sizeof *dx);
    float *scale = room(n * d / 64 * sizeof *scale);
    int8_t *quants = room(BATCH * n);
    struct q8_rows q = {quants, dx};
    void *w = room(n * d * sizeof(float));
    for (size_t r = 0; r < BATCH; r++)
        k->quantize(quants + r * n, dx + r * blocks, x + r * n, n);
    for (enum kind kind = F32; kind < KINDS; kind++) {
        double best = 1e18;
        for (int trial = 0; trial < TRIALS; trial++) {
            double start = now();
            once(k, kind, w, x, &q, out, scale, d, n);
            double spent = now() - start;
            best = spent < best ? spent : best;
        }
        size_t rows = kind == F32_BATCH || kind == Q8_0_BATCH ? BATCH : 1;
        printf("%s,%.0f,%zu,%zu\n", names[kind], best, weight_bytes(kind, n * d), rows * n * d);
    }
    return 0;
}
