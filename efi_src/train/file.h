/* Files as a whole: read, and written so that a name never holds half a file. */
#ifndef INGOT_TRAIN_FILE_H
#define INGOT_TRAIN_FILE_H

#include "../engine/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text or bytes that grow. A zeroed one is empty. */
struct buffer {
    unsigned char *bytes;
    size_t size, room;
};

/* False when there is no memory; the buffer is as before. */
bool buffer_add(struct buffer *buffer, const void *bytes, size_t n);
void buffer_free(struct buffer *buffer);

/* The whole of a regular file, into an empty buffer. E_IO or E_MEMORY with error->text filled. */
enum status file_read(const char *path, struct buffer *out, struct error *error);

struct part {
    const void *bytes;
    size_t size;
};

/* A file to be written: its parts, one after the other. */
struct output {
    const char *path;
    const struct part *parts;
    size_t count;
};

/* Writes each to PATH.tmp and flushes it to the disk; when all are there, renames them. When one
 * cannot be written none is renamed, and no PATH.tmp is left. */
enum status files_write(const struct output *outputs, size_t count, struct error *error);

/* Whether a file could be made at `path` now: its folder exists and may be written to. */
enum status file_possible(const char *path, struct error *error);

/* Fills error and returns its code; like printf. */
enum status fail_with(struct error *error, enum status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* FNV-1a, 64 bits, continued from `sum` (start: FNV_START). Tells damage apart, not malice. */
#define FNV_START 0xcbf29ce484222325u
uint64_t fnv(uint64_t sum, const void *bytes, size_t n);

#endif
