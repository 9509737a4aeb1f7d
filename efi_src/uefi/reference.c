#include "reference.h"
#include <stdbool.h>

#define MAGIC "INGOTREF"
#define MAGIC_BYTES (sizeof(MAGIC) - 1)
#define SIZE_BYTES 8
#define REFERENCE_BYTES (MAGIC_BYTES + SIZE_BYTES + SHA256_BYTES)

/* Whether these REFERENCE_BYTES are one */
static bool reference_read(const uint8_t *bytes, struct reference *out) {
    for (size_t i = 0; i < MAGIC_BYTES; i++)
        if (bytes[i] != (uint8_t)MAGIC[i])
            return false;
    out->size = 0;
    for (size_t i = 0; i < SIZE_BYTES; i++)
        out->size |= (uint64_t)bytes[MAGIC_BYTES + i] << (8 * i);
    for (size_t i = 0; i < SHA256_BYTES; i++)
        out->sha256[i] = bytes[MAGIC_BYTES + SIZE_BYTES + i];
    return true;
}

size_t references_read(const uint8_t *bytes, size_t size, struct reference out[REFERENCES_MOST]) {
    size_t n = size / REFERENCE_BYTES;

    if (size % REFERENCE_BYTES != 0 || n > REFERENCES_MOST)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!reference_read(bytes + i * REFERENCE_BYTES, &out[i]))
            return 0;
    return n;
}
