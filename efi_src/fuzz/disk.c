/* A few small files in memory. */
#include "disk.h"
#include "../engine/filename.h"
#include "../engine/text.h"
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

enum { FILES = 4, LARGEST = 1 << 18 };

static struct file {
    char name[FILENAME_MAX_BYTES + 1];
    size_t size;
    char *bytes; /* (LARGEST) */
} files[FILES];
static size_t count;

static struct file *find(const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(files[i].name, name) == 0) return &files[i];
    return NULL;
}

static enum status size_of(void *ctx, const char *name, uint64_t *size, struct error *error) {
    (void)ctx;
    if (filename_check(name, error) != OK) return error->code;
    struct file *file = find(name);
    if (!file) return fail(error, E_MISSING, "there is no such file", name, strlen(name));
    *size = file->size;
    return OK;
}

static enum status read(void *ctx, const char *name, uint64_t from, void *to, size_t n, struct error *error) {
    (void)ctx;
    if (filename_check(name, error) != OK) return error->code;
    struct file *file = find(name);
    if (!file) return fail(error, E_MISSING, "there is no such file", name, strlen(name));
    if (from > file->size || n > file->size - from) return fail(error, E_IO, "the file ends", name, strlen(name));
    memcpy(to, file->bytes + from, n);
    return OK;
}

static enum status write(void *ctx, const char *name, const struct platform_part *parts, size_t n,
                         struct error *error) {
    size_t size = 0;
    (void)ctx;
    if (filename_check(name, error) != OK) return error->code;
    for (size_t i = 0; i < n; i++) size = parts[i].size > LARGEST - size ? LARGEST + 1 : size + parts[i].size;
    struct file *file = find(name);
    if (size > LARGEST || (!file && count == FILES)) return fail(error, E_IO, "the disk is full", name, strlen(name));
    if (!file) file = &files[count++];
    if (!file->bytes) file->bytes = malloc(LARGEST);
    strcpy(file->name, name);
    file->size = 0;
    for (size_t i = 0; i < n; i++) {
        memcpy(file->bytes + file->size, parts[i].bytes, parts[i].size);
        file->size += parts[i].size;
    }
    return OK;
}

void fuzz_disk(struct platform *platform) {
    platform->file_size = size_of;
    platform->file_read = read;
    platform->file_write = write;
    count = 0;
}

uint8_t *fuzz_disk_bytes(const char *name, size_t *size) {
    struct file *file = find(name);
    FUZZ_PROMISE(file);
    *size = file->size;
    return (uint8_t *)file->bytes;
}

void fuzz_disk_cut(const char *name, size_t size) {
    struct file *file = find(name);
    FUZZ_PROMISE(file && size <= file->size);
    file->size = size;
}
