/* Blocks of the platform's memory, remembered so that all of them can be given back. */
#ifndef INGOT_MEMORY_H
#define INGOT_MEMORY_H

#include "platform.h"
#include "status.h"
#include <stddef.h>
#include <stdint.h>

struct memory {
    struct memory_block *last; /* NULL: none */
};

/* n * size zeroed bytes, 64-byte aligned; NULL (and E_MEMORY in error) when there are not as many. `what` they are for:
 * "the tokenizer". */
void *memory_take(struct memory *m, const struct platform *platform, uint64_t n, size_t size, const char *what,
                  struct error *error);
void memory_release(struct memory *m, const struct platform *platform);

/* E_MEMORY: "not enough memory for WHAT: 300 MiB needed, 180 MiB found", as far as the platform knows what is there. */
enum status memory_refuse(const struct platform *platform, const char *what, uint64_t bytes, struct error *error);

#endif
