#include "sha256.h"

void sha256_open(struct sha256 *hash, const struct sha_kernel *kernel) {
    /* the first 32 bits of the fractional parts of the square roots of the first 8 primes */
    static const uint32_t start[SHA_WORDS] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                              0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    hash->kernel = kernel;
    hash->bytes = 0;
    for (size_t i = 0; i < SHA_WORDS; i++) hash->state[i] = start[i];
}

void sha256_add(struct sha256 *hash, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    size_t held = hash->bytes % SHA_BLOCK;
    hash->bytes += n;
    while (n > 0) {
        if (held == 0 && n >= SHA_BLOCK) {
            size_t whole = n / SHA_BLOCK;
            hash->kernel->blocks(hash->state, p, whole);
            p += whole * SHA_BLOCK;
            n %= SHA_BLOCK;
            continue;
        }
        hash->rest[held++] = *p++;
        n--;
        if (held < SHA_BLOCK) continue;
        hash->kernel->blocks(hash->state, hash->rest, 1);
        held = 0;
    }
}

/* A 1 bit, zeros up to the last 8 bytes of a block, and there the length in bits */
void sha256_close(struct sha256 *hash, uint8_t digest[SHA256_BYTES]) {
    static const uint8_t padding[SHA_BLOCK] = {0x80};
    uint64_t bits = hash->bytes * 8;
    uint8_t length[8];
    size_t held = hash->bytes % SHA_BLOCK, end = SHA_BLOCK - sizeof length;
    sha256_add(hash, padding, held < end ? end - held : SHA_BLOCK + end - held);
    for (size_t i = 0; i < sizeof length; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(hash, length, sizeof length);
    for (size_t i = 0; i < SHA256_BYTES; i++) digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_show(const uint8_t *digest, size_t bytes, struct text *out) {
    for (size_t i = 0; i < bytes; i++) {
        text_add_bytes(out, &"0123456789abcdef"[digest[i] >> 4], 1);
        text_add_bytes(out, &"0123456789abcdef"[digest[i] & 15], 1);
    }
}
