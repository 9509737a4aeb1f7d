/* model_blob.S: a whole GGUF file, or references to files (reference.h), 64-byte aligned. */
#ifndef INGOT_UEFI_MODEL_BLOB_H
#define INGOT_UEFI_MODEL_BLOB_H

#include <stdint.h>

extern const uint8_t model_blob_start[] __attribute__((visibility("hidden")));
extern const uint8_t model_blob_end[] __attribute__((visibility("hidden")));

#endif
