/* What the program holds in the place of models that are files (model/pins.py writes it): their names, and of
 * each file its name on the disk, size and sha256. */
#ifndef INGOT_UEFI_REFERENCE_H
#define INGOT_UEFI_REFERENCE_H

#include "../engine/sha256.h"
#include "../engine/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REFERENCE_MODELS 16
#define REFERENCE_FILES 16 /* of one model */
#define REFERENCE_NAME 40

struct reference {
    char name[REFERENCE_NAME + 1]; /* "model.gguf" */
    uint64_t size;
    uint8_t sha256[SHA256_BYTES];
};

struct reference_model {
    char name[REFERENCE_NAME + 1]; /* [A-Za-z0-9_-], each once */
    uint64_t bytes;                /* of all its files */
    size_t count;
    struct reference file[REFERENCE_FILES];
};

struct references { /* about 24 KB: static */
    size_t count;
    struct reference_model model[REFERENCE_MODELS];
};

/* Whether the bytes start a list; else they are a model. */
bool references_start(const uint8_t *bytes, size_t size);

/* The whole list, 1 to 16 models with 1 to 16 files each; E_FORMAT for anything but what model/pins.py writes. */
enum status references_read(struct references *out, const uint8_t *bytes, size_t size, struct error *error);

#endif
