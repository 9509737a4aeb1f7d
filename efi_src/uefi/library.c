#include "library.h"
#include "../engine/text.h"
#include "measure.h"
#include "model_blob.h"

static const char HINT_BUILD[] = "build the image anew: ./doit";

enum status library_find(struct library *library, EFI_HANDLE image, EFI_BOOT_SERVICES *bs,
                         const struct platform *platform, uint32_t features, struct error *error) {
    size_t size = (size_t)(model_blob_end - model_blob_start);
    struct references *list = &library->list;

    library->image = image;
    library->bs = bs;
    library->platform = platform;
    library->features = features;
    library->hint = HINT_BUILD;
    library->linked = !references_start(model_blob_start, size);
    if (!library->linked)
        return references_read(list, model_blob_start, size, error);
    list->count = 1;
    list->model[0] = (struct reference_model){.name = "model", .bytes = size};
    return OK;
}

/* Before anything looks into the files: what is used is what was measured. One line for all of them. */
static void measure_files(const struct library *library, const struct reference_model *files) {
    char buffer[64];
    struct text line = text_into(buffer, sizeof(buffer));
    enum measured worst = MEASURED;

    for (size_t i = 0; i < files->count; i++) {
        enum measured measured = measure(library->bs, files->file[i].name, files->file[i].sha256);
        if (measured > worst)
            worst = measured;
    }
    text_add(&line, worst == MEASURED_NO_TPM ? "[tpm] none"
                    : worst == MEASURED      ? "[tpm] model digest in PCR "
                                             : "[tpm] refused the model digest for PCR ");
    if (worst != MEASURED_NO_TPM)
        text_add_u64(&line, MEASURE_PCR);
    text_add(&line, "\n");
    library->platform->write(library->platform->ctx, buffer, line.used);
}

static void give_back(struct library *library) {
    for (size_t k = 0; k < library->files && !library->linked; k++)
        model_file_release(&library->file[k], library->bs);
    library->files = 0;
}

static enum status read_files(struct library *library, size_t i, struct failure *failure) {
    const struct reference_model *wanted = &library->list.model[i];

    if (library->linked) {
        library->file[library->files++] = pieces_one(model_blob_start, wanted->bytes);
        return OK;
    }
    for (size_t k = 0; k < wanted->count; k++) {
        enum status status = model_file_load(&library->file[k], wanted->file[k].name, &wanted->file[k], library->image,
                                             library->bs, library->platform, library->features, failure);
        if (status != OK)
            return status;
        library->files = k + 1;
    }
    if (!library->measured[i])
        measure_files(library, wanted);
    library->measured[i] = true;
    return OK;
}

/* Of a GGUF all files are parts of it; of a llama2.c model the second one is its tokenizer. */
static struct model_files files_of(const struct library *library) {
    const struct pieces *file = library->file;

    if (library->files == 2 && !model_is_gguf(&file[0]))
        return (struct model_files){.parts = file, .count = 1, .tokenizer = &file[1]};
    return (struct model_files){.parts = file, .count = library->files};
}

/* A linked model is called what its file calls itself, in the letters that names have. */
static void take_name(struct reference_model *one, const struct model *model) {
    size_t n = 0;

    for (; n < REFERENCE_NAME && model->name[n]; n++) {
        char c = model->name[n];
        one->name[n] = c > ' ' && c <= '~' ? c : '-';
    }
    if (n > 0)
        one->name[n] = 0;
}

static enum status open_model(void *ctx, size_t i, struct model *model, struct error *error) {
    struct library *library = ctx;
    struct failure failure;
    enum status status = read_files(library, i, &failure);

    if (status == OK) {
        struct model_files files = files_of(library);
        status = model_load(model, &files, library->platform, &failure.error);
        failure.hint = status == E_MEMORY ? LIBRARY_MEMORY : HINT_BUILD;
    }
    library->hint = status == OK ? NULL : failure.hint;
    if (status != OK) {
        give_back(library);
        *error = failure.error;
    } else if (library->linked) {
        take_name(&library->list.model[0], model);
    }
    return status;
}

static void close_model(void *ctx, struct model *model) {
    struct library *library = ctx;

    model_close(model, library->platform);
    give_back(library);
}

static const char *name(void *ctx, size_t i) { return ((struct library *)ctx)->list.model[i].name; }
static uint64_t bytes(void *ctx, size_t i) { return ((struct library *)ctx)->list.model[i].bytes; }

struct models library_models(struct library *library) {
    return (struct models){.ctx = library,
                           .count = library->list.count,
                           .name = name,
                           .bytes = bytes,
                           .open = open_model,
                           .close = close_model};
}
