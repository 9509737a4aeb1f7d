/* A few small files in memory. */
#ifndef INGOT_FUZZ_DISK_H
#define INGOT_FUZZ_DISK_H

#include "../engine/platform.h"

/* Gives the platform files; an empty disk. */
void fuzz_disk(struct platform *platform);
/* A file that is there: its bytes, to be changed; a smaller size for it. */
uint8_t *fuzz_disk_bytes(const char *name, size_t *size);
void fuzz_disk_cut(const char *name, size_t size);

#endif
