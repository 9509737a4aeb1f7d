/* The sentinel. */
#include "sentinel.h"

static const char *const phases[SENTINEL_PHASES] = {"prefill", "decode"};

static uint64_t times(uint64_t a, uint64_t b) {
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

struct sentinel sentinel_default(void) { return (struct sentinel){.on = 1}; }

void sentinel_turn(struct sentinel *s) { s->stopped = 0; }

void sentinel_set_budget(struct sentinel *s, enum sentinel_phase phase, uint64_t budget) {
    s->watch[phase] = (struct sentinel_watch){.budget = budget};
}

/* A step that took more than the budget, which is not 0 */
static enum sentinel_verdict overrun(struct sentinel *s, struct sentinel_watch *w) {
    if (s->strict) {
        w->overruns++;
        s->stopped = 1;
        return SENTINEL_STOP;
    }
    if (w->last < times(w->budget, SENTINEL_SOFT)) {
        w->raised++;
        w->budget = w->last;
        return SENTINEL_RAISED;
    }
    w->overruns++;
    return SENTINEL_OVERRUN;
}

enum sentinel_verdict sentinel_step(struct sentinel *s, enum sentinel_phase phase, uint64_t ticks, uint64_t tokens) {
    struct sentinel_watch *w = &s->watch[phase];
    if (s->stopped) return SENTINEL_STOP;
    if (tokens == 0) return SENTINEL_FINE;
    s->phase = phase;
    w->last = ticks / tokens + (ticks % tokens > 0);
    if (w->last > w->worst) w->worst = w->last;
    w->steps++;
    if (s->test) { /* the budgets stay as they are */
        s->test = 0;
        s->stopped = 1;
        w->overruns++;
        return SENTINEL_STOP;
    }
    if (!s->on) return SENTINEL_FINE;
    if (w->budget == 0) {
        w->budget = w->last > 0 ? times(w->last, SENTINEL_SLACK) : SENTINEL_SLACK;
        return SENTINEL_FINE;
    }
    return w->last > w->budget ? overrun(s, w) : SENTINEL_FINE;
}

static void add_number(struct text *out, const char *name, uint64_t number) {
    text_add(out, name);
    text_add_u64(out, number);
}

void sentinel_show_step(const struct sentinel *s, const char *unit, struct text *out) {
    const struct sentinel_watch *w = &s->watch[s->phase];
    text_add(out, phases[s->phase]);
    add_number(out, " took ", w->last);
    text_add(out, " ");
    text_add(out, unit);
    add_number(out, " a token, budget ", w->budget);
}

void sentinel_show(const struct sentinel *s, const char *unit, struct text *out) {
    uint64_t raised = 0, overruns = 0;
    text_add(out, s->on ? "sentinel=on" : "sentinel=off");
    text_add(out, s->strict ? " strict=on" : " strict=off");
    for (int phase = 0; phase < SENTINEL_PHASES; phase++) {
        const struct sentinel_watch *w = &s->watch[phase];
        text_add(out, " ");
        text_add(out, phases[phase]);
        text_add(out, "_");
        text_add(out, unit);
        if (w->budget > 0) add_number(out, "=", w->budget);
        else text_add(out, "=unknown");
        raised += w->raised;
        overruns += w->overruns;
    }
    add_number(out, " raised=", raised);
    add_number(out, " overruns=", overruns);
}
