/* Compares one table of kernels with the scalar one, bit for bit, on random sizes and values.
 *
 *   fuzz TABLE SEED ROUNDS      exit 0: the same; 1: differs (says where); 77: this CPU cannot run it
 *
 * Every array ends at an unreadable page, so reading or writing past an end is a crash. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include "kernels/cpu.h"
#include "kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ROOM (1 << 16) /* floats in the largest array */
#define ARRAYS 10

static uint64_t state;

static uint32_t draw(void) { /* splitmix64 */
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

static size_t below(size_t n) { return draw() % n; }

static float of_bits(uint32_t u) {
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

enum mood { USUAL, SMALL, HUGE_ONES, SUBNORMAL, ANY, MOODS };

static float value(enum mood mood) {
    float unit = (float)((int32_t)draw() >> 8) * (1.0f / 8388608.0f);
    uint32_t any = draw();
    switch (mood) {
    case USUAL: return unit * 4.0f;
    case SMALL: return unit * 1e-20f;
    case HUGE_ONES: return unit * 1e37f;
    case SUBNORMAL: return of_bits(any & 0x807fffffu);
    default: /* any finite float, and both zeros */
        if (any % 16 == 0)
            return any & 16 ? 0.0f : -0.0f;
        if ((any & 0x7f800000u) == 0x7f800000u)
            any ^= 0x40000000u;
        return of_bits(any);
    }
}

/* n floats that end where the readable memory ends */
static float *array(int number, size_t n) {
    static char *pages[ARRAYS];
    size_t bytes = ROOM * sizeof(float), page = 4096;
    if (!pages[number]) {
        pages[number] = mmap(NULL, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages[number] == MAP_FAILED || mprotect(pages[number] + bytes, page, PROT_NONE) != 0) {
            perror("mmap");
            exit(2);
        }
    }
    if (n > ROOM) {
        fprintf(stderr, "an array of %zu floats is too large\n", n);
        exit(2);
    }
    return (float *)(void *)(pages[number] + bytes) - n;
}

static float *random_array(int number, size_t n, enum mood mood) {
    float *x = array(number, n);
    for (size_t i = 0; i < n; i++)
        x[i] = value(mood);
    return x;
}

static float *copy(int number, const float *x, size_t n) { return memcpy(array(number, n), x, n * sizeof *x); }

static int differs(const char *what, size_t size, const float *want, const float *got, size_t n) {
    for (size_t i = 0; i < n; i++) {
        int both_nan = want[i] != want[i] && got[i] != got[i];
        if (!both_nan && memcmp(&want[i], &got[i], sizeof *want) != 0) {
            printf("%s, size %zu: element %zu is %a, scalar gives %a\n", what, size, i, (double)got[i], (double)want[i]);
            return 1;
        }
    }
    return 0;
}

static size_t size_of(void) { return below(8) ? below(70) : below(600); }

static int check_inference(const struct kernels *k, const struct kernels *s, enum mood mood) {
    size_t n = size_of(), d = below(12), t = below(20), stride = n + below(5);
    float *x = random_array(0, n, mood), *w = random_array(1, d * n, mood), *b = random_array(2, d > n ? d : n, USUAL);
    float *want = array(3, d > n ? d : n), *got = array(4, d > n ? d : n);
    const float *bias = draw() & 1 ? b : NULL;
    s->matvec(want, w, x, bias, d, n);
    k->matvec(got, w, x, bias, d, n);
    int bad = differs("matvec", n, want, got, d);

    float *p = random_array(5, t, mood), *v = random_array(6, t ? (t - 1) * stride + n : 0, mood);
    want = array(3, n);
    got = array(4, n);
    s->mix(want, p, v, t, n, stride);
    k->mix(got, p, v, t, n, stride);
    bad = bad || differs("mix", n, want, got, n);

    want = copy(3, x, n);
    got = copy(4, x, n);
    float *y = random_array(7, n, mood);
    s->add(want, y, n);
    k->add(got, y, n);
    bad = bad || differs("add", n, want, got, n);
    s->scale(want, b[0], n);
    k->scale(got, b[0], n);
    bad = bad || differs("scale", n, want, got, n);
    memcpy(want, x, n * sizeof *x);
    memcpy(got, x, n * sizeof *x);
    s->softmax(want, n);
    k->softmax(got, n);
    bad = bad || differs("softmax", n, want, got, n);
    s->layernorm(want, x, y, b, n, 1e-5f);
    k->layernorm(got, x, y, b, n, 1e-5f);
    bad = bad || differs("layernorm", n, want, got, n);
    memcpy(got, x, n * sizeof *x);
    k->layernorm(got, got, y, b, n, 1e-5f);
    bad = bad || differs("layernorm in place", n, want, got, n);
    memcpy(want, x, n * sizeof *x);
    memcpy(got, x, n * sizeof *x);
    s->gelu(want, n);
    k->gelu(got, n);
    return bad || differs("gelu", n, want, got, n);
}

static int check_gemm(const struct kernels *k, const struct kernels *s, enum mood mood) {
    size_t m = below(24), n = below(2) ? below(70) : 16 * below(9), depth = below(40);
    size_t ldc = n + below(4), ldb = n + below(4), turned = below(2);
    size_t ars = turned ? 1 : depth + below(3), acs = turned ? m + below(3) : 1;
    int accumulate = (int)below(2);
    float *a = random_array(0, m && depth ? (m - 1) * ars + (depth - 1) * acs + 1 : 0, mood);
    float *b = random_array(1, depth ? (depth - 1) * ldb + n : 0, mood);
    size_t area = m ? (m - 1) * ldc + n : 0;
    float *want = random_array(3, area, mood), *got = copy(4, want, area);
    s->gemm(want, ldc, a, ars, acs, b, ldb, m, n, depth, accumulate);
    k->gemm(got, ldc, a, ars, acs, b, ldb, m, n, depth, accumulate);
    return differs("gemm", m * 1000000 + n * 1000 + depth, want, got, area);
}

static int check_training(const struct kernels *k, const struct kernels *s, enum mood mood) {
    size_t n = size_of();
    float *x = random_array(0, n, mood), *dy = random_array(1, n, mood), *w = random_array(2, n, mood);
    float *start = random_array(3, n, mood);
    float *want[3], *got[3];
    for (int i = 0; i < 3; i++) {
        want[i] = copy(4 + i, start, n);
        got[i] = copy(7 + i, start, n);
    }
    s->gelu_backward(want[0], x, n);
    k->gelu_backward(got[0], x, n);
    int bad = differs("gelu_backward", n, want[0], got[0], n);
    s->softmax_backward(want[0], x, n);
    k->softmax_backward(got[0], x, n);
    bad = bad || differs("softmax_backward", n, want[0], got[0], n);
    s->layernorm_backward(want[0], want[1], want[2], dy, x, w, n, 1e-5f);
    k->layernorm_backward(got[0], got[1], got[2], dy, x, w, n, 1e-5f);
    for (int i = 0; i < 3; i++)
        bad = bad || differs("layernorm_backward", n, want[i], got[i], n);
    struct adamw step = {0.5f, 0.9f, 0.99f, 0.1f, 0.01f, 10.0f, 100.0f, 1e-3f, 1e-8f, 1e-4f};
    for (size_t i = 0; i < n; i++)
        want[2][i] = got[2][i] = start[i] < 0.0f ? -start[i] : start[i]; /* second moments */
    s->adamw(want[0], want[1], want[2], dy, n, &step);
    k->adamw(got[0], got[1], got[2], dy, n, &step);
    for (int i = 0; i < 3; i++)
        bad = bad || differs("adamw", n, want[i], got[i], n);
    return bad;
}

int main(int argc, char **argv) {
    static const struct {
        const struct kernels *table;
        uint32_t needs;
    } tables[] = {{&kernels_sse2, CPU_SSE2}, {&kernels_avx2, CPU_AVX2}, {&kernels_avx512, CPU_AVX512}};
    if (argc != 4)
        return 2;
    struct cpu_leaves leaves = cpu_detect();
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(argv[1], tables[i].table->name) != 0)
            continue;
        if ((cpu_features(&leaves) & tables[i].needs) != tables[i].needs)
            return 77;
        state = strtoull(argv[2], NULL, 10);
        for (long round = 0; round < strtol(argv[3], NULL, 10); round++) {
            enum mood mood = (enum mood)(round % MOODS);
            const struct kernels *k = tables[i].table, *s = &kernels_scalar;
            if (check_inference(k, s, mood) || check_gemm(k, s, mood) || check_training(k, s, mood)) {
                printf("%s, seed %s, round %ld, mood %d\n", argv[1], argv[2], round, (int)mood);
                return 1;
            }
        }
        return 0;
    }
    return 2;
}
