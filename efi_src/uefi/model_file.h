/* The model as files in the root of the volume that the program was started from. */
#ifndef INGOT_UEFI_MODEL_FILE_H
#define INGOT_UEFI_MODEL_FILE_H

#include "../engine/pieces.h"
#include "../engine/platform.h"
#include "failure.h"
#include "reference.h"
#include <efi.h>

/* Reads the file `name`, says how long that took, and refuses any but the one of the reference. Nobody has
 * looked into the bytes when it returns, and after a failure no memory is kept. `features`: cpu_features(). */
enum status model_file_load(struct pieces *out, const char *name, const struct reference *wanted,
                            EFI_HANDLE image, EFI_BOOT_SERVICES *bs, const struct platform *platform,
                            uint32_t features, struct failure *failure);

/* Gives the memory back. */
void model_file_release(struct pieces *file, EFI_BOOT_SERVICES *bs);

#endif
