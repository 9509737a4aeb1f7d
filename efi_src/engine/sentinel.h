/* The sentinel: watches how long a token takes, in prefill and in decode. It knows no clock: it is told
 * ticks (cycles or microseconds, as its owner likes), so the same calls always give the same verdicts.
 *
 * A phase without a budget learns one: SENTINEL_SLACK times its first step. A step over its budget is an
 * overrun: in strict mode it ends the turn; else it raises the budget to what the step took, when that is
 * less than SENTINEL_SOFT times the budget, and is only counted when it is more (a pause of the whole
 * machine must not loosen the watch for ever). A stop is recoverable: the next turn starts anew, with the
 * budgets there are. */
#ifndef INGOT_SENTINEL_H
#define INGOT_SENTINEL_H

#include "status.h"
#include "text.h"
#include <stdint.h>

#define SENTINEL_SLACK 4
#define SENTINEL_SOFT 3

enum sentinel_phase { SENTINEL_PREFILL, SENTINEL_DECODE, SENTINEL_PHASES };

enum sentinel_verdict {
    SENTINEL_FINE,    /* also: off, the budget was learnt */
    SENTINEL_RAISED,  /* a soft overrun: the budget is now what the step took */
    SENTINEL_OVERRUN, /* a hard one: counted */
    SENTINEL_STOP,    /* end the turn; and so is every step after it, until sentinel_turn */
};

struct sentinel_watch {
    uint64_t budget;         /* ticks a token; 0: to be learnt */
    uint64_t last, worst;    /* ticks a token */
    uint64_t steps, raised, overruns;
};

struct sentinel {
    int on, strict;
    int stopped; /* this turn */
    int test;    /* the next step is over its budget, strictly: /test_failsafe */
    enum sentinel_phase phase; /* of the last step */
    struct sentinel_watch watch[SENTINEL_PHASES];
};

/* On, not strict, everything to be learnt. */
struct sentinel sentinel_default(void);

/* A turn begins. */
void sentinel_turn(struct sentinel *s);

/* A step of `tokens` tokens has taken so many ticks. No tokens: nothing happens. */
enum sentinel_verdict sentinel_step(struct sentinel *s, enum sentinel_phase phase, uint64_t ticks, uint64_t tokens);

/* Sets a budget (0: learn it anew) and forgets what was counted. */
void sentinel_set_budget(struct sentinel *s, enum sentinel_phase phase, uint64_t budget);

/* For the user and the log: "decode took 91 ticks a token, budget 30" of the last step; and the state:
 * "sentinel=on strict=off prefill=… decode=… raised=N overruns=N". `unit` is the name of a tick. */
void sentinel_show_step(const struct sentinel *s, const char *unit, struct text *out);
void sentinel_show(const struct sentinel *s, const char *unit, struct text *out);

#endif
