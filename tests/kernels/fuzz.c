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

static uint8_t *bytes(int number, size_t n) { return (uint8_t *)array(number, (n + 3) / 4) + (4 - n % 4) % 4; }

static int check_llama(const struct kernels *k, const struct kernels *s, enum mood mood) {
    size_t n = size_of(), d = below(12), m = below(7), ldo = d + below(3);
    float *x = random_array(0, n, mood), *y = random_array(1, n, mood);
    float *want = array(3, n), *got = array(4, n);
    s->rmsnorm(want, x, y, n, 1e-5f);
    k->rmsnorm(got, x, y, n, 1e-5f);
    int bad = differs("rmsnorm", n, want, got, n);
    memcpy(got, x, n * sizeof *x);
    k->rmsnorm(got, got, y, n, 1e-5f);
    bad = bad || differs("rmsnorm in place", n, want, got, n);
    memcpy(want, x, n * sizeof *x);
    memcpy(got, x, n * sizeof *x);
    s->swiglu(want, y, n);
    k->swiglu(got, y, n);
    bad = bad || differs("swiglu", n, want, got, n);

    size_t even = n - n % 2;
    float *cosine = random_array(1, even / 2, USUAL), *sine = random_array(2, even / 2, USUAL);
    x = random_array(0, even, mood);
    want = copy(3, x, even);
    got = copy(4, x, even);
    s->rope(want, cosine, sine, even);
    k->rope(got, cosine, sine, even);
    bad = bad || differs("rope", even, want, got, even);

    size_t area = m && d ? (m - 1) * ldo + d : 0;
    x = random_array(0, m * n, mood);
    float *w = random_array(1, d * n, mood), *alone = array(7, d);
    uint16_t *half = (uint16_t *)(void *)bytes(2, 2 * d * n);
    for (size_t i = 0; i < d * n; i++)
        half[i] = (uint16_t)draw();
    want = random_array(3, area, USUAL);
    got = copy(4, want, area);
    s->matmul_f32(want, ldo, w, x, d, n, m);
    k->matmul_f32(got, ldo, w, x, d, n, m);
    bad = bad || differs("matmul_f32", n, want, got, area);
    for (size_t r = 0; r < m; r++) {
        k->matmul_f32(alone, d, w, x + r * n, d, n, 1);
        bad = bad || differs("matmul_f32, one row", n, want + r * ldo, alone, d);
    }
    s->matmul_f16(want, ldo, half, x, d, n, m);
    k->matmul_f16(got, ldo, half, x, d, n, m);
    bad = bad || differs("matmul_f16", n, want, got, area);
    for (size_t r = 0; r < m; r++) {
        k->matmul_f16(alone, d, half, x + r * n, d, n, 1);
        bad = bad || differs("matmul_f16, one row", n, want + r * ldo, alone, d);
    }
    return bad;
}

/* Weights that a hostile file may hold: any byte, or -128 alone; scales of all kinds */
static void random_blocks(uint8_t *w, size_t blocks, size_t size) {
    int extreme = below(4) == 0, any_scale = below(4) == 0;
    for (size_t b = 0; b < blocks; b++, w += size) {
        for (size_t i = 0; i < size; i++)
            w[i] = extreme ? 0x80 : (uint8_t)draw();
        if (!any_scale && (w[1] & 0x7c) == 0x7c)
            w[1] ^= 0x40;
    }
}

static int check_quant(const struct kernels *k, const struct kernels *s, enum mood mood) {
    size_t per = 1 + below(4), blocks = per * below(12), n = 32 * blocks, d = below(70), m = below(6), ldo = d + below(3);
    if (d * n > 1 << 16)
        d = (1 << 16) / n;
    float *x = random_array(0, m * n, mood);
    for (size_t b = 0; b < m * blocks; b++) /* blocks of zeros, and what is not finite */
        if (below(16) == 0)
            memset(x + 32 * b, 0, 32 * sizeof *x);
        else if (below(64) == 0)
            x[32 * b + below(32)] = of_bits(0x7f800000u | draw());
    int8_t *q = (int8_t *)bytes(1, m * n), *other = (int8_t *)bytes(2, m * n);
    float *dx = array(3, m * blocks), *other_dx = array(4, m * blocks);
    for (size_t r = 0; r < m; r++) {
        s->quantize(q + r * n, dx + r * blocks, x + r * n, n);
        k->quantize(other + r * n, other_dx + r * blocks, x + r * n, n);
    }
    int bad = differs("quantize", n, dx, other_dx, m * blocks);
    for (size_t i = 0; !bad && i < m * n; i++)
        if (q[i] != other[i] || q[i] == -128) {
            printf("quantize: element %zu of %zu is %d, scalar gives %d\n", i, n, other[i], q[i]);
            return 1;
        }
    if (below(4) == 0)
        memset(q, draw() & 1 ? 127 : -127, m * n);
    struct q8_rows rows = {q, dx};
    static const char *const names[] = {"matmul_q8_0", "matmul_q4_0", "matmul_q8_g"};
    static const size_t sizes[] = {sizeof(struct q8_0), sizeof(struct q4_0), QUANT_BLOCK};
    float *scale = random_array(6, d * (blocks / per), mood), *alone = array(9, d);
    size_t area = m && d ? (m - 1) * ldo + d : 0, group = 32 * per;
    for (int f = 0; f < 3; f++) {
        uint8_t *w = bytes(5, d * blocks * sizes[f]);
        float *want = random_array(7, area, USUAL), *got = copy(8, want, area);
        random_blocks(w, d * blocks, sizes[f]);
        for (int i = 0; i < 2; i++) {
            const struct kernels *t = i ? k : s;
            float *out = i ? got : want;
            if (f == 0) t->matmul_q8_0(out, ldo, (void *)w, &rows, d, n, m);
            if (f == 1) t->matmul_q4_0(out, ldo, (void *)w, &rows, d, n, m);
            if (f == 2) t->matmul_q8_g(out, ldo, (void *)w, scale, group, &rows, d, n, m);
        }
        bad = bad || differs(names[f], n, want, got, area);
        for (size_t r = 0; r < m; r++) {
            struct q8_rows one = {q + r * n, dx + r * blocks};
            if (f == 0) k->matmul_q8_0(alone, d, (void *)w, &one, d, n, 1);
            if (f == 1) k->matmul_q4_0(alone, d, (void *)w, &one, d, n, 1);
            if (f == 2) k->matmul_q8_g(alone, d, (void *)w, scale, group, &one, d, n, 1);
            bad = bad || differs(names[f], n, want + r * ldo, alone, d);
        }
    }
    return bad;
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
    } tables[] = {{&kernels_sse2, CPU_SSE2},
                {&kernels_avx2, CPU_AVX2 | CPU_F16C},
                {&kernels_avx512, CPU_AVX512 | CPU_F16C},
                {&kernels_avx512vnni, CPU_AVX512VNNI | CPU_F16C}};
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
            if (check_inference(k, s, mood) || check_llama(k, s, mood) || check_quant(k, s, mood)
                || check_gemm(k, s, mood) || check_training(k, s, mood)) {
                printf("%s, seed %s, round %ld, mood %d\n", argv[1], argv[2], round, (int)mood);
                return 1;
            }
        }
        return 0;
    }
    return 2;
}
