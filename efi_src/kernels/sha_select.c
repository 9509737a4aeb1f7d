#include "cpu.h"
#include "sha.h"

#define BLOCKS 5

const struct sha_kernel *sha_checked(const struct sha_kernel *candidate) {
    uint8_t bytes[BLOCKS * SHA_BLOCK + 1];
    uint32_t state = 1, wanted[SHA_WORDS], found[SHA_WORDS];
    for (size_t i = 0; i < sizeof bytes; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(state >> 24);
    }
    for (size_t i = 0; i < SHA_WORDS; i++)
        wanted[i] = found[i] = 0x01234567u * (uint32_t)(i + 1);
    sha_scalar.blocks(wanted, bytes + 1, BLOCKS); /* + 1: not at an aligned address */
    candidate->blocks(found, bytes + 1, BLOCKS);
    for (size_t i = 0; i < SHA_WORDS; i++)
        if (found[i] != wanted[i])
            return &sha_scalar;
    return candidate;
}

const struct sha_kernel *sha_select(uint32_t features) {
    return features & CPU_SHA ? sha_checked(&sha_ni) : &sha_scalar;
}
