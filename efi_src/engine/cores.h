/* Jobs on all cores. Work is cut by a fixed plan (part p of parts); nothing depends on who runs it, or when. */
#ifndef INGOT_CORES_H
#define INGOT_CORES_H

#include <stddef.h>

struct cores {
    void *ctx;
    unsigned count; /* 1 to CORES_MAX */
    /* Calls job(arg, part, count) for each part in 0..count-1, one on each core, part 0 on the caller's; returns when
     * all are done, with their writes visible. Jobs call no firmware and no platform function. */
    void (*run)(void *ctx, void (*job)(void *arg, unsigned part, unsigned parts), void *arg);
};

#define CORES_MAX 64

/* One core: the same code without workers. */
extern const struct cores cores_one;

/* The share of n items (from, to) that part p of `parts` has, in multiples of `unit` (but for the last). */
static inline void cores_share(size_t n, size_t unit, unsigned part, unsigned parts, size_t *from, size_t *to) {
    size_t units = (n + unit - 1) / unit;
    *from = units * part / parts * unit;
    *to = units * (part + 1) / parts * unit;
    if (*from > n) *from = n;
    if (*to > n) *to = n;
}

#endif
