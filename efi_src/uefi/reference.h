/* What the program holds in the place of a model that is a file (model/reference.py writes it). */
#ifndef INGOT_UEFI_REFERENCE_H
#define INGOT_UEFI_REFERENCE_H

#include "../engine/sha256.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reference {
    uint64_t size;
    uint8_t sha256[SHA256_BYTES];
};

/* Whether the `size` bytes are a reference and no model; then *out is what it says. */
bool reference_read(const uint8_t *bytes, size_t size, struct reference *out);

#endif
