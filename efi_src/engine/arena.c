/* Arenas. */
#include "arena.h"

#define ALIGN 64

size_t arena_sum(size_t a, size_t b) {
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

size_t arena_need(size_t n, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - ALIGN) return SIZE_MAX;
    return (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

static void show(struct text *out, const char *name, size_t bytes) {
    text_add(out, name);
    text_add_u64(out, bytes);
}

void arena_show(const struct arena_plan *plan, struct text *out) {
    show(out, "weights=", plan->weights);
    show(out, " kv=", plan->kv);
    show(out, " acts=", plan->acts);
    show(out, " scratch=", plan->scratch);
    show(out, " zonec=", plan->zonec);
    show(out, " total=", plan->kv + plan->acts + plan->scratch + plan->zonec);
}

static enum status open(struct arena *arena, const struct platform *platform, const char *name, size_t bytes,
                        struct error *error) {
    *arena = (struct arena){.base = platform->alloc(platform->ctx, bytes), .size = bytes};
    if (arena->base) return OK;
    struct text t = error_text(error, E_MEMORY);
    text_add(&t, "no memory for the arena ");
    text_add(&t, name);
    text_add(&t, ": ");
    text_add_u64(&t, bytes);
    text_add(&t, " bytes");
    return E_MEMORY;
}

enum status arenas_open(struct arenas *arenas, const struct arena_plan *plan, const struct platform *platform,
                        struct error *error) {
    enum status status = open(&arenas->kv, platform, "kv", plan->kv, error);
    if (status == OK) status = open(&arenas->acts, platform, "acts", plan->acts, error);
    if (status == OK) status = open(&arenas->scratch, platform, "scratch", plan->scratch, error);
    if (status == OK) status = open(&arenas->zonec, platform, "zonec", plan->zonec, error);
    return status;
}

void *arena_take(struct arena *arena, size_t n, size_t size) {
    size_t need = arena_need(n, size);
    if (need > arena->size - arena->used) return NULL;
    void *part = arena->base + arena->used;
    arena->used += need;
    return part;
}
