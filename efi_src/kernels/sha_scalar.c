/* SHA-256 in plain C. Every round is written out and the message schedule rolls in 16 words: under
 * emulation, where each x86 instruction costs alike, fewer of them is all that counts. */
#include "sha.h"

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes */
const uint32_t sha_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static inline uint32_t turn(uint32_t x, unsigned n) { return x >> n | x << (32 - n); }

static inline uint32_t load(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

/* Nested turns need fewer registers than three of the same word: (x >>> 6) ^ (x >>> 11) ^ (x >>> 25). */
#define SUM1(x) turn(turn(turn(x, 14) ^ (x), 5) ^ (x), 6)
#define SUM0(x) turn(turn(turn(x, 9) ^ (x), 11) ^ (x), 2)
#define SIGMA0(x) (turn(x, 7) ^ turn(x, 18) ^ (x) >> 3)
#define SIGMA1(x) (turn(x, 17) ^ turn(x, 19) ^ (x) >> 10)

/* One round; the eight names move one place from round to round, so nothing is copied. */
#define ROUND(a, b, c, d, e, f, g, h, k, w)                                                              \
    do {                                                                                                 \
        h += SUM1(e) + (g ^ (e & (f ^ g))) + (k) + (w);                                                  \
        d += h;                                                                                          \
        h += SUM0(a) + ((a & b) | (c & (a | b)));                                                        \
    } while (0)

#define FIRST(i) (w[i] = load(bytes + 4 * (i)))
#define NEXT(i) (w[i] += SIGMA1(w[((i) + 14) & 15]) + w[((i) + 9) & 15] + SIGMA0(w[((i) + 1) & 15]))

#define EIGHT(W, i, k)                                                                                   \
    ROUND(a, b, c, d, e, f, g, h, k[i], W(i));                                                           \
    ROUND(h, a, b, c, d, e, f, g, k[i + 1], W(i + 1));                                                   \
    ROUND(g, h, a, b, c, d, e, f, k[i + 2], W(i + 2));                                                   \
    ROUND(f, g, h, a, b, c, d, e, k[i + 3], W(i + 3));                                                   \
    ROUND(e, f, g, h, a, b, c, d, k[i + 4], W(i + 4));                                                   \
    ROUND(d, e, f, g, h, a, b, c, k[i + 5], W(i + 5));                                                   \
    ROUND(c, d, e, f, g, h, a, b, k[i + 6], W(i + 6));                                                   \
    ROUND(b, c, d, e, f, g, h, a, k[i + 7], W(i + 7))

static void blocks(uint32_t state[SHA_WORDS], const uint8_t *bytes, size_t count) {
    uint32_t w[16]; /* the last 16 words of the schedule */

    for (; count > 0; count--, bytes += SHA_BLOCK) {
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        EIGHT(FIRST, 0, sha_constants);
        EIGHT(FIRST, 8, sha_constants);
        for (const uint32_t *k = sha_constants + 16; k < sha_constants + 64; k += 16) {
            EIGHT(NEXT, 0, k);
            EIGHT(NEXT, 8, k);
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d;
        state[4] += e, state[5] += f, state[6] += g, state[7] += h;
    }
}

const struct sha_kernel sha_scalar = {.name = "scalar", .blocks = blocks};
