/* What the program holds in the place of a model that is a file (model/reference.py writes it): one reference to
 * a GGUF file, or two, to a llama2.c file and to its tokenizer. */
#ifndef INGOT_UEFI_REFERENCE_H
#define INGOT_UEFI_REFERENCE_H

#include "../engine/sha256.h"
#include <stddef.h>
#include <stdint.h>

#define REFERENCES_MOST 2

struct reference {
    uint64_t size;
    uint8_t sha256[SHA256_BYTES];
};

/* How many references the `size` bytes are, one after another, which go to `out`; 0: they are a model. */
size_t references_read(const uint8_t *bytes, size_t size, struct reference out[REFERENCES_MOST]);

#endif
