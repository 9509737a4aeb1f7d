/* Parts of inputs, and a platform that keeps account. */
#include "fuzz.h"
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 256
#define MOST ((size_t)64 << 20)
#define CACHED 8                /* large blocks that wait to be asked for again: pages of the system are dear */
#define LARGE ((size_t)1 << 17) /* from here on, up to: */
#define LARGEST ((size_t)1 << 22)

struct block {
    void *memory;
    size_t size;
    int of_input;
};

static struct block blocks[BLOCKS], cache[CACHED];
static size_t count, used, oldest;
static uint32_t fails_at, allocations;

_Noreturn void fuzz_broken(const char *promise, const char *file, int line) {
    fprintf(stderr, "%s:%d: not kept: %s\n", file, line, promise);
    abort();
}

static uint32_t number(struct fuzz_input *in, size_t bytes) {
    uint32_t value = 0;
    for (size_t i = 0; i < bytes && in->left > 0; i++) {
        value |= (uint32_t)*in->at++ << 8 * i;
        in->left--;
    }
    return value;
}

uint32_t fuzz_u8(struct fuzz_input *in) { return number(in, 1); }
uint32_t fuzz_u16(struct fuzz_input *in) { return number(in, 2); }

static void keep(void *memory, size_t size, int of_input) {
    FUZZ_PROMISE(memory && count < BLOCKS);
    blocks[count++] = (struct block){memory, size, of_input};
}

uint8_t *fuzz_take(struct fuzz_input *in, size_t n, size_t *size) {
    *size = n < in->left ? n : in->left;
    uint8_t *bytes = malloc(*size);
    keep(bytes, *size, 1);
    memcpy(bytes, in->at, *size);
    in->at += *size;
    in->left -= *size;
    return bytes;
}

static void *from_cache(size_t bytes) {
    for (size_t i = 0; i < CACHED; i++) {
        void *memory = cache[i].memory;
        if (!memory || cache[i].size != bytes) continue;
        cache[i].memory = NULL;
        ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
        return memory;
    }
    return NULL;
}

/* Nobody may touch it there. */
static void drop(void *memory, size_t bytes) {
    if (bytes < LARGE || bytes > LARGEST) {
        free(memory);
        return;
    }
    struct block *slot = &cache[oldest++ % CACHED];
    if (slot->memory) {
        ASAN_UNPOISON_MEMORY_REGION(slot->memory, slot->size);
        free(slot->memory);
    }
    *slot = (struct block){.memory = memory, .size = bytes};
    ASAN_POISON_MEMORY_REGION(memory, bytes);
}

static void *take(void *ctx, size_t bytes) {
    (void)ctx;
    if (++allocations == fails_at || bytes > MOST - used || count == BLOCKS) return NULL;
    void *memory = from_cache(bytes);
    FUZZ_PROMISE(memory || posix_memalign(&memory, 64, bytes) == 0);
    keep(memset(memory, 0, bytes), bytes, 0);
    used += bytes;
    return memory;
}

static void give(void *ctx, void *memory, size_t bytes) {
    (void)ctx;
    if (!memory) return;
    for (size_t i = 0; i < count; i++) {
        if (blocks[i].memory != memory) continue;
        FUZZ_PROMISE(blocks[i].size == bytes && !blocks[i].of_input);
        drop(memory, bytes);
        used -= bytes;
        blocks[i] = blocks[--count];
        return;
    }
    fuzz_broken("memory that was allocated is given back", __FILE__, __LINE__);
}

static uint64_t memory_free(void *ctx, uint64_t *largest) {
    (void)ctx;
    *largest = MOST - used;
    return *largest;
}

static uint64_t clock_now;
static uint64_t now_us(void *ctx) { return (void)ctx, clock_now += 100; }

const struct platform fuzz_platform = {
    .alloc = take, .release = give, .memory_free = memory_free, .now_us = now_us};

void fuzz_begin(uint32_t fails) {
    fails_at = fails;
    allocations = 0;
}

void fuzz_end(int left) {
    while (count > 0) {
        struct block *block = &blocks[--count];
        FUZZ_PROMISE(left || block->of_input);
        if (block->of_input) free(block->memory);
        else drop(block->memory, block->size);
    }
    used = 0;
}

void fuzz_error(enum status status, const struct error *error) {
    size_t n = strnlen(error->text, sizeof error->text);
    FUZZ_PROMISE(status == error->code);
    FUZZ_PROMISE(n > 0 && n < sizeof error->text);
    for (size_t i = 0; i < n; i++) FUZZ_PROMISE(error->text[i] >= ' ' && error->text[i] <= '~');
}
