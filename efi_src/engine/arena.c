/* Arenas. */
#include "arena.h"
#include "memory.h"

#define ALIGN 64

size_t arena_sum(size_t a, size_t b) {
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

size_t arena_total(const struct arena_plan *plan) {
    return arena_sum(arena_sum(plan->kv, plan->acts), arena_sum(plan->scratch, plan->zonec));
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
    show(out, " total=", arena_total(plan));
}

static enum status open(struct arena *arena, const struct platform *platform, const char *what, size_t bytes,
                        struct error *error) {
    *arena = (struct arena){.base = platform->alloc(platform->ctx, bytes), .size = bytes};
    return arena->base ? OK : memory_refuse(platform, what, bytes, error);
}

static void close(struct arena *arena, const struct platform *platform) {
    if (arena->base && platform->release) platform->release(platform->ctx, arena->base, arena->size);
    *arena = (struct arena){.base = NULL};
}

enum status arenas_open(struct arenas *arenas, const struct arena_plan *plan, const struct platform *platform,
                        struct error *error) {
    *arenas = (struct arenas){.kv = {.base = NULL}};
    enum status status = open(&arenas->kv, platform, "the arena kv", plan->kv, error);
    if (status == OK) status = open(&arenas->acts, platform, "the arena acts", plan->acts, error);
    if (status == OK) status = open(&arenas->scratch, platform, "the arena scratch", plan->scratch, error);
    if (status == OK) status = open(&arenas->zonec, platform, "the arena zonec", plan->zonec, error);
    if (status != OK) arenas_close(arenas, platform);
    return status;
}

void arenas_close(struct arenas *arenas, const struct platform *platform) {
    close(&arenas->zonec, platform);
    close(&arenas->scratch, platform);
    close(&arenas->acts, platform);
    close(&arenas->kv, platform);
}

void *arena_take(struct arena *arena, size_t n, size_t size) {
    size_t need = arena_need(n, size);
    if (need > arena->size - arena->used) return NULL;
    void *part = arena->base + arena->used;
    arena->used += need;
    return part;
}
