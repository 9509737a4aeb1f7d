/* struct platform's files on Linux: those of the working directory. */
#ifndef INGOT_HOST_FILES_H
#define INGOT_HOST_FILES_H

#include "../engine/platform.h"

enum status files_size(void *ctx, const char *name, uint64_t *size, struct error *error);
enum status files_read(void *ctx, const char *name, uint64_t from, void *to, size_t n, struct error *error);
enum status files_write(void *ctx, const char *name, const struct platform_part *parts, size_t count,
                        struct error *error);

#endif
