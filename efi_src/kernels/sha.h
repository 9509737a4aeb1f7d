/* The compression function of SHA-256 (FIPS 180-4), one implementation per instruction set; the
 * hashing itself is engine/sha256.h. Which one runs is decided at boot: see sha_select. */
#ifndef INGOT_SHA_H
#define INGOT_SHA_H

#include <stddef.h>
#include <stdint.h>

#define SHA_BLOCK 64
#define SHA_WORDS 8

struct sha_kernel {
    const char *name; /* "scalar", "sha-ni" */
    /* Takes `count` blocks of SHA_BLOCK bytes, at any address, into the state. */
    void (*blocks)(uint32_t state[SHA_WORDS], const uint8_t *bytes, size_t count);
};

extern const struct sha_kernel sha_scalar, sha_ni;
extern const uint32_t sha_constants[64] __attribute__((visibility("hidden")));

/* The widest that `features` (cpu_features()) allow and that gives the scalar one's state for a few
 * blocks. */
const struct sha_kernel *sha_select(uint32_t features);

/* `candidate` where it gives the state that sha_scalar gives, else sha_scalar. */
const struct sha_kernel *sha_checked(const struct sha_kernel *candidate);

#endif
