#include "library.h"
#include "../engine/text.h"
#include "platform.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static enum status open_model(void *ctx, size_t i, struct model *model, struct error *error) {
    struct library *library = ctx;
    const struct options *o = library->options;
    enum status status = mapped_open(&library->open, o->models[i], o->tokenizer, error);
    if (status != OK) return status;
    struct model_files files = mapped_files(&library->open);
    if (o->model_count > 1 && model_is_gguf(files.parts)) files.tokenizer = NULL; /* it is the others' */
    status = model_load(model, &files, host_platform(), error);
    if (status != OK) mapped_close(&library->open);
    return status;
}

static void close_model(void *ctx, struct model *model) {
    model_close(model, host_platform());
    mapped_close(&((struct library *)ctx)->open);
}

static const char *name(void *ctx, size_t i) { return ((struct library *)ctx)->name[i]; }
static uint64_t bytes(void *ctx, size_t i) { return ((struct library *)ctx)->bytes[i]; }

struct models library_models(struct library *library) {
    return (struct models){.ctx = library,
                           .count = library->options->model_count,
                           .name = name,
                           .bytes = bytes,
                           .open = open_model,
                           .close = close_model};
}

static int letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static int taken(const struct library *library, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (strcmp(library->name[k], library->name[i]) == 0) return 1;
    return 0;
}

/* "models/my model.gguf", or its "my model-00001-of-00002.gguf" -> "my-model"; a second one is my-model-2. */
static void take_name(struct library *library, size_t i, const char *path) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    size_t n = dot && dot > base ? (size_t)(dot - base) : strlen(base), part = strlen("-00001-of-00001");
    if (n > part && strncmp(base + n - part, "-00001-of-", part - 5) == 0) n -= part;
    char *out = library->name[i], stem[LIBRARY_NAME - 3 + 1];
    if (n > LIBRARY_NAME) n = LIBRARY_NAME;
    for (size_t k = 0; k < n; k++) out[k] = letter(base[k]) ? base[k] : '-';
    out[n] = 0;
    snprintf(stem, sizeof stem, "%s", out);
    for (unsigned number = 2; taken(library, i); number++) snprintf(out, LIBRARY_NAME + 1, "%s-%u", stem, number);
}

void library_find(struct library *library, const struct options *options) {
    struct stat info;
    *library = (struct library){.options = options};
    for (size_t i = 0; i < options->model_count; i++) {
        take_name(library, i, options->models[i]);
        if (stat(options->models[i], &info) == 0) library->bytes[i] = (uint64_t)info.st_size;
    }
}
