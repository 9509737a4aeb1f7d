/* /test_failsafe: what guards a turn, tripped for real. */
#ifndef INGOT_FAILSAFE_H
#define INGOT_FAILSAFE_H

#include "state.h"

enum failsafe {
    FAILSAFE_OFF,
    FAILSAFE_NAN,       /* a logit that is no number */
    FAILSAFE_EXCEPTION, /* a page fault on the core that runs the turn */
    FAILSAFE_WORKER,    /* an invalid instruction on the next core */
};

/* In the midst of a turn, after the logits. What was asked for is forgotten first: it happens once. */
void failsafe_trip(enum failsafe *what, struct state *state);

#endif
