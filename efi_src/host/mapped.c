/* Model files in place. */
#include "mapped.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status map(struct pieces *file, const char *path, struct error *error) {
    struct stat info;
    void *memory = MAP_FAILED;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int known = fd >= 0 && fstat(fd, &info) == 0;
    if (known && !S_ISREG(info.st_mode)) {
        close(fd);
        return fail(error, E_IO, "not a regular file", path, strlen(path));
    }
    if (known && info.st_size == 0) {
        close(fd);
        return fail(error, E_TRUNCATED, "an empty file", path, strlen(path));
    }
    if (known) memory = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int reason = errno;
    if (fd >= 0) close(fd);
    if (memory == MAP_FAILED) return fail(error, E_IO, strerror(reason), path, strlen(path));
    *file = pieces_one(memory, (size_t)info.st_size);
    return OK;
}

static void unmap(struct pieces *file) {
    if (file->count > 0) munmap((void *)file->piece[0].bytes, file->piece[0].size);
    *file = (struct pieces){.count = 0};
}

/* Five digits; -1: it is something else. */
static int digits(const char *at) {
    int number = 0;
    for (int i = 0; i < 5; i++) {
        if (at[i] < '0' || at[i] > '9') return -1;
        number = 10 * number + at[i] - '0';
    }
    return number;
}

#define SHARD "-00001-of-00001.gguf"

/* Where a path's "-00001-of-00003.gguf" begins; NULL: it has none. */
static const char *shard_of(const char *path, int *which, int *count) {
    size_t length = strlen(path), n = sizeof SHARD - 1;
    if (length < n) return NULL;
    const char *end = path + length - n;
    *which = digits(end + 1);
    *count = digits(end + 10);
    int shaped = end[0] == '-' && strncmp(end + 6, "-of-", 4) == 0 && strcmp(end + 15, ".gguf") == 0;
    return shaped && *which >= 0 && *count >= 0 ? end : NULL;
}

static enum status map_shards(struct mapped *mapped, const char *path, const char *end, int count,
                              struct error *error) {
    char name[PATH_MAX];
    if (count > GGUF_MAX_PARTS)
        return fail(error, E_UNSUPPORTED, "a model of more than 16 files", path, strlen(path));
    if ((size_t)(end - path) + sizeof SHARD > sizeof name) return fail(error, E_RANGE, "a path that is too long", NULL, 0);
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%.*s-%05d-of-%05d.gguf", (int)(end - path), path, i + 1, count);
        enum status status = map(&mapped->part[i], name, error);
        if (status != OK) return status;
        mapped->parts++;
    }
    return OK;
}

static enum status map_all(struct mapped *mapped, const char *model, const char *tokenizer, struct error *error) {
    struct error ignored; /* model_load says what is missing */
    int which = 0, count = 0;
    const char *end = shard_of(model, &which, &count);
    if (end && which != 1)
        return fail(error, E_IO, "a part of a model, which is named by its first part (-00001-of-)", NULL, 0);
    enum status status = end && count > 0 ? map_shards(mapped, model, end, count, error)
                                          : map(&mapped->part[0], model, error);
    if (status != OK) return status;
    if (mapped->parts == 0) mapped->parts = 1;
    if (tokenizer) return map(&mapped->tokenizer, tokenizer, error);
    if (!model_is_gguf(&mapped->part[0])) map(&mapped->tokenizer, "tokenizer.bin", &ignored);
    return OK;
}

enum status mapped_open(struct mapped *mapped, const char *model, const char *tokenizer, struct error *error) {
    *mapped = (struct mapped){.parts = 0};
    enum status status = map_all(mapped, model, tokenizer, error);
    if (status != OK) mapped_close(mapped);
    return status;
}

void mapped_close(struct mapped *mapped) {
    for (size_t i = 0; i < mapped->parts; i++) unmap(&mapped->part[i]);
    unmap(&mapped->tokenizer);
    mapped->parts = 0;
}

struct model_files mapped_files(const struct mapped *mapped) {
    return (struct model_files){.parts = mapped->part, .count = mapped->parts,
                                .tokenizer = mapped->tokenizer.count > 0 ? &mapped->tokenizer : NULL};
}
