/* What the EFI program holds in the place of models that are files. */
#include "../uefi/reference.h"
#include "fuzz.h"
#include <string.h>

static struct references references;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    struct error error;
    size_t n;
    const uint8_t *bytes = fuzz_take(&in, size, &n);
    enum status status = references_read(&references, bytes, n, &error);
    if (status != OK) fuzz_error(status, &error);
    FUZZ_PROMISE(status != OK || references_start(bytes, n));
    FUZZ_PROMISE((status == OK) == (references.count > 0) && references.count <= REFERENCE_MODELS);
    for (size_t i = 0; i < references.count; i++) {
        const struct reference_model *model = &references.model[i];
        FUZZ_PROMISE(strlen(model->name) > 0 && model->count > 0 && model->count <= REFERENCE_FILES);
        for (size_t j = 0; j < model->count; j++) FUZZ_PROMISE(strlen(model->file[j].name) > 0);
    }
    fuzz_end(0);
    return 0;
}
