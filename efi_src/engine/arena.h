/* Working memory: sized by one plan before anything is allocated, then carved, given back as a whole. */
#ifndef INGOT_ARENA_H
#define INGOT_ARENA_H

#include "platform.h"
#include "status.h"
#include "text.h"
#include <stddef.h>

/* Bytes of each arena. */
struct arena_plan {
    size_t weights; /* the model, used where it lies: not allocated */
    size_t kv;      /* keys and values of every position */
    size_t acts;    /* activations of a batch of positions */
    size_t scratch; /* sampling, the tokens in the window, the prompt */
    size_t zonec;   /* the log (ringlog.h) */
    uint32_t context; /* positions that these are for */
    uint32_t asked;   /* and those that the model asks for, which may not fit: */
    size_t asked_total, room; /* what they need, and the memory that there is for it */
};

struct arena {
    char *base;
    size_t size, used;
};

struct arenas {
    struct arena kv, acts, scratch, zonec;
};

/* "weights=… kv=… acts=… scratch=… zonec=… total=…", in bytes; total is what will be allocated. */
void arena_show(const struct arena_plan *plan, struct text *out);

/* What will be allocated: all but the weights; SIZE_MAX when that does not fit. */
size_t arena_total(const struct arena_plan *plan);

/* One block of the platform's memory for each; E_MEMORY names the arena for which there is none, and then none is
 * open. */
enum status arenas_open(struct arenas *arenas, const struct arena_plan *plan, const struct platform *platform,
                        struct error *error);
/* Gives all of them back, where the platform can. */
void arenas_close(struct arenas *arenas, const struct platform *platform);

/* The next n * size bytes, 64-byte aligned; NULL when the arena is too small. */
void *arena_take(struct arena *arena, size_t n, size_t size);

/* What arena_take(n, size) uses up; SIZE_MAX when it does not fit. Sums of these saturate by
 * arena_sum. */
size_t arena_need(size_t n, size_t size);
size_t arena_sum(size_t a, size_t b);

#endif
