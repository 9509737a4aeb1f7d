/* Token files: uint16, little-endian, nothing else. */
#ifndef INGOT_TRAIN_DATA_H
#define INGOT_TRAIN_DATA_H

#include "../engine/status.h"
#include <stddef.h>
#include <stdint.h>

struct tokens {
    uint16_t *ids;
    size_t count;
    uint64_t sum; /* fnv of the file's bytes */
};

/* Every id is below vocab and there are at least `least`; otherwise an error that names the file. */
enum status tokens_load(struct tokens *tokens, const char *path, uint32_t vocab, size_t least,
                        struct error *error);
void tokens_free(struct tokens *tokens);

/* The starts of one step's `batch` windows of context + 1 tokens, drawn from (seed, RNG_BATCH, step). */
void batch_draw(const uint16_t **windows, size_t batch, const struct tokens *tokens, size_t context,
                uint64_t seed, uint64_t step);

#endif
