#include "failsafe.h"

/* Below 2^47, so that it is an address; beyond what firmware maps. */
#define NOWHERE ((volatile const char *)0x600000000000)

static void fault_on_next(void *arg, unsigned part, unsigned parts) {
    (void)arg, (void)parts;
    if (part == 1) __builtin_trap();
}

void failsafe_trip(enum failsafe *what, struct state *state) {
    enum failsafe now = *what;
    *what = FAILSAFE_OFF;
    if (now == FAILSAFE_NAN) state->logits[0] = __builtin_nanf("");
    else if (now == FAILSAFE_EXCEPTION) (void)*NOWHERE;
    else if (now == FAILSAFE_WORKER) state->compute.cores->run(state->compute.cores->ctx, fault_on_next, NULL);
}
