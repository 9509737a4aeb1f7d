/* Which table of kernels to use: those that the CPU can run are checked bit for bit against the
 * scalar one on a small problem and timed for a few milliseconds; the fastest correct one wins, for
 * the products of int8 blocks and for all else on its own. (Under emulation neither is the widest,
 * and they differ.) */
#ifndef INGOT_SELECT_H
#define INGOT_SELECT_H

#include "../engine/status.h"
#include "kernels.h"
#include <stdbool.h>

#define KERNEL_TABLES 5

struct kernel_trial {
    const struct kernels *table;
    bool usable;          /* the CPU and XCR0 allow it */
    bool correct;         /* the same bits as scalar; false when not tried */
    /* measured speed, rounds of a problem a second; 0 when not timed */
    uint32_t float_rounds_s, int8_rounds_s;
};

struct selection {
    const struct kernels *chosen; /* a table, or `mixed`: this struct has to outlive its use */
    struct kernels mixed;         /* one table with the int8 products of another */
    char mixed_name[24];          /* "avx2+scalar": floats by avx2, int8 by scalar */
    struct kernel_trial trial[KERNEL_TABLES]; /* narrowest first, scalar at 0 */
};

/* `wanted`: "auto", or exactly a table's name. `features`: cpu_features(). `now_us(ctx)`:
 * microseconds (struct platform's clock); a clock that stands still makes "auto" choose the widest
 * correct table. Errors: E_RANGE, an unknown name; E_UNSUPPORTED, a table that this CPU cannot run
 * or that gave other bits than scalar. */
enum status kernels_select(struct selection *out, const char *wanted, uint32_t features,
                           uint64_t (*now_us)(void *ctx), void *ctx, struct error *error);

#endif
