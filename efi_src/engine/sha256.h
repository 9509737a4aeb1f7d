/* SHA-256 (FIPS 180-4) of bytes that come in pieces. */
#ifndef INGOT_SHA256_H
#define INGOT_SHA256_H

#include "../kernels/sha.h"
#include "text.h"
#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32

struct sha256 {
    const struct sha_kernel *kernel;
    uint32_t state[SHA_WORDS];
    uint64_t bytes;           /* taken so far */
    uint8_t rest[SHA_BLOCK];  /* the last bytes % SHA_BLOCK of them */
};

void sha256_open(struct sha256 *hash, const struct sha_kernel *kernel);
void sha256_add(struct sha256 *hash, const void *bytes, size_t n);
void sha256_close(struct sha256 *hash, uint8_t digest[SHA256_BYTES]);

/* The first `bytes` of a digest in hex */
void sha256_show(const uint8_t *digest, size_t bytes, struct text *out);

#endif
