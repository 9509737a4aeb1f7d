#include "reference.h"

#define MAGIC "INGOTREF"
#define MAGIC_BYTES (sizeof(MAGIC) - 1)
#define SIZE_BYTES 8

bool reference_read(const uint8_t *bytes, size_t size, struct reference *out) {
    if (size != MAGIC_BYTES + SIZE_BYTES + SHA256_BYTES)
        return false;
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
