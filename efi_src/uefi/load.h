/* A file into memory, hashed on its way. */
#ifndef INGOT_UEFI_LOAD_H
#define INGOT_UEFI_LOAD_H

#include "../engine/platform.h"
#include "../engine/sha256.h"
#include "failure.h"
#include "file.h"
#include <stddef.h>
#include <stdint.h>

#define LOAD_PIECE (1u << 20)

/* Where the bytes go and who is told. */
struct load {
    const struct platform *platform; /* progress of large files goes to its console */
    const struct sha_kernel *sha;
    uint8_t *piece; /* LOAD_PIECE bytes that the firmware reads into */
    /* Copies the n bytes of the file that start at `at` (every byte once, in order); returns the copy. */
    const uint8_t *(*take)(void *ctx, uint64_t at, const uint8_t *bytes, size_t n);
    void *ctx;
};

/* Reads `file` to its end. What is hashed is what `take` has kept, so that neither a disk that gives
 * other bytes the second time nor a device that still writes to `piece` deceives anybody. */
enum status load(const struct load *how, struct file *file, uint8_t digest[SHA256_BYTES],
                 struct failure *failure);

#endif
