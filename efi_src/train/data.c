#include "data.h"

#include "file.h"
#include "rng.h"

#include <inttypes.h>
#include <stdlib.h>

enum status tokens_load(struct tokens *tokens, const char *path, uint32_t vocab, size_t least,
                        struct error *error) {
    struct buffer file = {0};
    *tokens = (struct tokens){0};
    enum status status = file_read(path, &file, error);
    if (status != OK)
        return status;
    size_t count = file.size / 2;
    if (file.size % 2 != 0)
        status = fail_with(error, E_TRUNCATED, "%s: %zu bytes is not a whole number of 16-bit tokens",
                           path, file.size);
    else if (count < least)
        status = fail_with(error, E_RANGE, "%s: %zu tokens, but at least %zu are needed", path, count,
                           least);
    else if (!(tokens->ids = malloc(count * sizeof *tokens->ids)))
        status = fail_with(error, E_MEMORY, "not enough memory for %s", path);
    for (size_t i = 0; status == OK && i < count; i++) {
        tokens->ids[i] = (uint16_t)(file.bytes[2 * i] | file.bytes[2 * i + 1] << 8);
        if (tokens->ids[i] >= vocab)
            status = fail_with(error, E_RANGE, "%s: token %zu is %u, but the vocabulary has %" PRIu32, path,
                               i, tokens->ids[i], vocab);
    }
    tokens->count = count;
    tokens->sum = fnv(FNV_START, file.bytes, file.size);
    buffer_free(&file);
    if (status != OK)
        tokens_free(tokens);
    return status;
}

void tokens_free(struct tokens *tokens) {
    free(tokens->ids);
    *tokens = (struct tokens){0};
}

void batch_draw(const uint16_t **windows, size_t batch, const struct tokens *tokens, size_t context,
                uint64_t seed, uint64_t step) {
    struct rng rng = rng_stream(seed, RNG_BATCH, step);
    for (size_t i = 0; i < batch; i++)
        windows[i] = tokens->ids + rng_below(&rng, tokens->count - context);
}
