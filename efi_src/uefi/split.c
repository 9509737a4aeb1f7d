#include "split.h"

#define PAGE UINT64_C(4096)
#define LOW_END (UINT64_C(1) << 32)

static uint64_t down(uint64_t bytes, uint64_t step) { return bytes - bytes % step; }

/* The region that has most, of all or of those below 4 GiB; NULL: none has any */
static struct region *largest(struct region *regions, size_t n, bool low) {
    struct region *best = NULL;

    for (size_t i = 0; i < n; i++)
        if (regions[i].bytes > (best ? best->bytes : 0) && (!low || regions[i].at < LOW_END))
            best = &regions[i];
    return best;
}

static void keep(struct region *regions, size_t n, uint64_t spare) {
    while (spare > 0) {
        struct region *from = largest(regions, n, true);
        if (!from)
            from = largest(regions, n, false);
        if (!from)
            return;
        uint64_t part = from->bytes < spare ? from->bytes : spare;
        from->at += part;
        from->bytes -= part;
        spare -= part;
    }
}

/* The end of a region */
static struct region top(const struct region *region, uint64_t bytes) {
    uint64_t size = down(bytes + PAGE - 1, PAGE);
    return (struct region){region->at + region->bytes - size, size};
}

/* The highest of the regions with room for all */
static const struct region *whole(const struct region *regions, size_t n, uint64_t bytes) {
    const struct region *best = NULL;

    for (size_t i = 0; i < n; i++)
        if (regions[i].bytes >= bytes && (!best || regions[i].at > best->at))
            best = &regions[i];
    return best;
}

bool split_plan(struct split *out, struct region *regions, size_t n, uint64_t bytes, uint64_t spare) {
    uint64_t left = bytes;

    keep(regions, n, spare);
    *out = (struct split){.count = 0};
    for (size_t i = 0; i < n; i++) {
        uint64_t skip = (PAGE - regions[i].at % PAGE) % PAGE;
        regions[i].bytes = regions[i].bytes > skip ? down(regions[i].bytes - skip, PAGE) : 0;
        regions[i].at += skip;
        out->found += regions[i].bytes;
    }
    const struct region *one = whole(regions, n, bytes);
    if (one && bytes > 0) {
        out->block[out->count++] = top(one, bytes);
        return true;
    }
    while (left > 0 && out->count < PIECES_MOST) {
        struct region *from = largest(regions, n, false);
        if (!from || from->bytes < SPLIT_STEP)
            return false;
        uint64_t part = from->bytes >= left ? left : down(from->bytes, SPLIT_STEP);
        out->block[out->count++] = top(from, part);
        from->bytes = 0;
        left -= part;
    }
    return left == 0 && bytes > 0;
}
