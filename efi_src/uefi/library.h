/* The models of this program: one that is linked in, or those that lie as files beside it. */
#ifndef INGOT_UEFI_LIBRARY_H
#define INGOT_UEFI_LIBRARY_H

#include "../engine/models.h"
#include "model_file.h"
#include "reference.h"
#include <efi.h>
#include <stdbool.h>

#define LIBRARY_MEMORY "give the machine more memory (in QEMU: mem=4G)" /* a hint */

struct library { /* large: static */
    EFI_HANDLE image;
    EFI_BOOT_SERVICES *bs;
    const struct platform *platform;
    uint32_t features; /* cpu_features() */

    struct references list; /* of a linked model: its name alone */
    bool linked;
    bool measured[REFERENCE_MODELS];
    struct pieces file[REFERENCE_FILES]; /* of the one that is open */
    size_t files;

    const char *hint; /* what to do about the last failure; NULL: there is none */
};

/* Reads which models there are; E_FORMAT, and a hint, when the program is damaged. */
enum status library_find(struct library *library, EFI_HANDLE image, EFI_BOOT_SERVICES *bs,
                         const struct platform *platform, uint32_t features, struct error *error);

/* They, for the chat. The first opening of each measures its files. */
struct models library_models(struct library *library);

#endif
