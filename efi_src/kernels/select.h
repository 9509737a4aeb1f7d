/* Which table of kernels to use: those that the CPU can run are checked bit for bit against the
 * scalar one on a small problem and timed for a few milliseconds; the fastest correct one wins.
 * (Under emulation that is not the widest.) */
#ifndef INGOT_SELECT_H
#define INGOT_SELECT_H

#include "../engine/status.h"
#include "kernels.h"
#include <stdbool.h>

#define KERNEL_TABLES 4

struct kernel_trial {
    const struct kernels *table;
    bool usable;          /* the CPU and XCR0 allow it */
    bool correct;         /* the same bits as scalar; false when not tried */
    uint32_t rounds_s;    /* measured speed, rounds of the problem a second; 0 when not timed */
};

struct selection {
    const struct kernels *chosen;
    struct kernel_trial trial[KERNEL_TABLES]; /* narrowest first, scalar at 0 */
};

/* `wanted`: "auto", or exactly a table's name. `features`: cpu_features(). `now_us(ctx)`:
 * microseconds (struct platform's clock); a clock that stands still makes "auto" choose the widest
 * correct table. Errors: E_RANGE, an unknown name; E_UNSUPPORTED, a table that this CPU cannot run
 * or that gave other bits than scalar. */
enum status kernels_select(struct selection *out, const char *wanted, uint32_t features,
                           uint64_t (*now_us)(void *ctx), void *ctx, struct error *error);

#endif
