/* In the place of kernels/sha_select.c: a hash that does nothing, so that what the real one costs can be measured. */
#include "../efi_src/kernels/sha.h"

static void blocks(uint32_t state[SHA_WORDS], const uint8_t *bytes, size_t count) {
    (void)state, (void)bytes, (void)count;
}

static const struct sha_kernel none = {"none", blocks};

const struct sha_kernel *sha_select(uint32_t features) { return (void)features, &none; }
