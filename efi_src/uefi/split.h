/* Where the bytes of a large file go in a memory that has holes: a pure function of the memory map. */
#ifndef INGOT_UEFI_SPLIT_H
#define INGOT_UEFI_SPLIT_H

#include "../engine/pieces.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPLIT_STEP (UINT64_C(1) << 20) /* every block but the last is a multiple of it */

struct region {
    uint64_t at, bytes;
};

struct split {
    size_t count;
    struct region block[PIECES_MOST]; /* whole pages; in the order of the file */
    uint64_t found;                   /* bytes that could have been had */
};

/* One block for `bytes` where a free region has room for it, the highest of them; else the fewest blocks, the largest
 * regions first. `spare` bytes, of the largest region below 4 GiB, stay free for the firmware and its devices and for
 * the other arenas. The n regions are used up. False: there is too little. */
bool split_plan(struct split *out, struct region *regions, size_t n, uint64_t bytes, uint64_t spare);

#endif
