/* Read bandwidth of memory: `bandwidth THREADS MIB`: each thread reads its part of MIB MiB again and again with the
 * widest loads there are; prints the best GB/s of all of them together. */
#define _GNU_SOURCE
#include <immintrin.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 9, MAX_THREADS = 64 };

struct part {
    const char *at;
    size_t bytes; /* a multiple of 512 */
    uint64_t sum; /* so that nothing is left out */
};

static pthread_barrier_t barrier;

__attribute__((target("avx2"))) static uint64_t read_avx2(const char *p, size_t n) {
    __m256i s[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
    for (size_t i = 0; i < n; i += 128)
        for (int k = 0; k < 4; k++)
            s[k] = _mm256_xor_si256(s[k], _mm256_load_si256((const __m256i *)(p + i + 32 * k)));
    s[0] = _mm256_xor_si256(_mm256_xor_si256(s[0], s[1]), _mm256_xor_si256(s[2], s[3]));
    return (uint64_t)_mm256_extract_epi64(s[0], 0) ^ (uint64_t)_mm256_extract_epi64(s[0], 3);
}

__attribute__((target("avx512f"))) static uint64_t read_avx512(const char *p, size_t n) {
    __m512i s[8];
    for (int k = 0; k < 8; k++) s[k] = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i += 512)
        for (int k = 0; k < 8; k++) s[k] = _mm512_xor_si512(s[k], _mm512_load_si512(p + i + 64 * k));
    for (int k = 1; k < 8; k++) s[0] = _mm512_xor_si512(s[0], s[k]);
    return (uint64_t)_mm512_reduce_add_epi64(s[0]);
}

static void *work(void *ctx) {
    struct part *part = ctx;
    int wide = __builtin_cpu_supports("avx512f");
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&barrier);
        part->sum ^= (wide ? read_avx512 : read_avx2)(part->at, part->bytes);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
    struct part parts[MAX_THREADS];
    pthread_t ids[MAX_THREADS];
    double best = 1e30;
    if (argc != 3) return 2;
    int threads = atoi(argv[1]);
    size_t bytes = (size_t)atoi(argv[2]) << 20;
    if (threads < 1 || threads > MAX_THREADS || bytes == 0 || !__builtin_cpu_supports("avx2")) return 77;
    char *memory = aligned_alloc(1 << 21, bytes + (1 << 21) - bytes % (1 << 21));
    if (!memory) return 1;
    memset(memory, 1, bytes); /* pages of its own, not the zero page */
    pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
    size_t each = bytes / (size_t)threads / 512 * 512;
    for (int i = 0; i < threads; i++) {
        parts[i] = (struct part){.at = memory + each * (size_t)i, .bytes = each};
        pthread_create(&ids[i], NULL, work, &parts[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        double begun = now();
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        double seconds = now() - begun;
        if (seconds < best) best = seconds;
    }
    uint64_t sum = 0;
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        sum ^= parts[i].sum;
    }
    printf("%.2f %llu\n", (double)(each * (size_t)threads) * 1e-9 / best, (unsigned long long)sum);
    return 0;
}
