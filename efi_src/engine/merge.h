/* Byte pair encoding: neighbours become one, the best pair first, the leftmost of equals. A linked list and a heap,
 * so that n symbols take n log n. */
#ifndef INGOT_MERGE_H
#define INGOT_MERGE_H

#include <stddef.h>
#include <stdint.h>

/* A part of a text: a list through `next`. */
struct symbol {
    uint32_t at, bytes;        /* bytes 0: merged into the one before it */
    uint32_t id;               /* its token, or UINT32_MAX: none */
    uint32_t previous, next;   /* indices; UINT32_MAX at the ends */
};

/* Two neighbours that may become one. */
struct merge_pair {
    uint64_t key;       /* order, then the index of the left one: the smallest goes first */
    uint32_t id, bytes; /* what they become */
};

/* What the neighbours become -> id, and which of all pairs goes first (the smallest) -> order; 0: they stay two. */
typedef int merge_rule(const void *ctx, const uint8_t *text, const struct symbol *left,
                       const struct symbol *right, uint32_t *id, uint32_t *order);

/* Merges the `count` symbols of a text, in place; the list starts at symbol 0. `heap` holds 2 * count pairs. */
void merge_symbols(merge_rule *rule, const void *ctx, const uint8_t *text, struct symbol *symbols,
                   uint32_t count, struct merge_pair *heap);

#endif
