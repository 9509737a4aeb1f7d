/* The model as files in the root of the volume that the program was started from. */
#ifndef INGOT_UEFI_MODEL_FILE_H
#define INGOT_UEFI_MODEL_FILE_H

#include "../engine/platform.h"
#include "failure.h"
#include "reference.h"
#include <efi.h>

#define GGUF_FILE "model.gguf"
#define LLAMA2C_FILE "model.bin" /* and beside it: */
#define TOKENIZER_FILE "tokenizer.bin"

struct model_file {
    const uint8_t *bytes; /* page-aligned */
    size_t size;
};

/* Reads the file `name`, says how long that took, and refuses any but the one of the reference. Nobody has
 * looked into the bytes when it returns. `features`: cpu_features(). */
enum status model_file_load(struct model_file *out, const char *name, const struct reference *wanted,
                            EFI_HANDLE image, EFI_BOOT_SERVICES *bs, const struct platform *platform,
                            uint32_t features, struct failure *failure);

#endif
