/* Blocks of memory in a list: each begins with where the one before it is. */
#include "memory.h"
#include "text.h"

struct memory_block {
    struct memory_block *before;
    size_t bytes; /* with this */
    char unused[48]; /* the rest stays 64-byte aligned */
};

void *memory_take(struct memory *m, const struct platform *platform, uint64_t n, size_t size, const char *what,
                  struct error *error) {
    struct memory_block *block = NULL;
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || __builtin_add_overflow(bytes, sizeof *block, &bytes))
        bytes = SIZE_MAX;
    else block = platform->alloc(platform->ctx, bytes);
    if (!block) {
        memory_refuse(platform, what, bytes, error);
        return NULL;
    }
    block->before = m->last;
    block->bytes = bytes;
    m->last = block;
    return block + 1;
}

void memory_release(struct memory *m, const struct platform *platform) {
    while (m->last) {
        struct memory_block *block = m->last;
        m->last = block->before;
        if (platform->release) platform->release(platform->ctx, block, block->bytes);
    }
}

enum status memory_refuse(const struct platform *platform, const char *what, uint64_t bytes, struct error *error) {
    struct text t = error_text(error, E_MEMORY);
    uint64_t largest = 0, found = platform->memory_free ? platform->memory_free(platform->ctx, &largest) : 0;
    text_add(&t, "not enough memory for ");
    text_add(&t, what);
    text_add(&t, ": ");
    text_add_mib(&t, bytes);
    text_add(&t, " MiB needed");
    if (!platform->memory_free) return E_MEMORY;
    text_add(&t, ", ");
    text_add_mib(&t, found);
    text_add(&t, " MiB found");
    if (found < bytes) return E_MEMORY;
    text_add(&t, ", ");
    text_add_mib(&t, largest);
    text_add(&t, " MiB of them in one piece");
    return E_MEMORY;
}
