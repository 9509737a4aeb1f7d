/* Repetition: made less probable, or ruled out. */
#include "penalties.h"
#include <stddef.h>

/* The tokens that there are, oldest first. */
struct tokens {
    const uint32_t *window;
    size_t size, first, n;
};

static struct tokens tokens_of(struct history h) {
    struct tokens t = {.window = h.window, .size = h.size, .n = h.used};
    if (h.used <= h.size) return t;
    t.n = h.size;
    t.first = h.size > 0 ? h.used % h.size : 0;
    return t;
}

/* The one with i < n before it. */
static uint32_t token_at(const struct tokens *t, size_t i) {
    size_t at = t->first + i;
    return t->window[at < t->size ? at : at - t->size];
}

void penalty_repeat(float *x, const float *logits, uint32_t vocab, struct history h, uint32_t last, float penalty) {
    struct tokens t = tokens_of(h);
    for (size_t i = last < t.n ? t.n - last : 0; i < t.n; i++) {
        uint32_t token = token_at(&t, i);
        if (token >= vocab) continue;
        float logit = logits[token]; /* not x: a token that comes twice is changed once */
        x[token] = logit > 0 ? logit / penalty : logit * penalty;
    }
}

void penalty_ngram(float *x, uint32_t vocab, struct history h, uint32_t n) {
    struct tokens t = tokens_of(h);
    if (n == 0) return;
    size_t head = n - 1; /* the last `head` tokens begin the next run */
    for (size_t end = head; end < t.n; end++) { /* where a run of n may end */
        size_t same = 0;
        while (same < head && token_at(&t, end - head + same) == token_at(&t, t.n - head + same)) same++;
        uint32_t token = token_at(&t, end);
        if (same == head && token < vocab) x[token] = PENALTY_BANNED;
    }
}

/* Whether the tokens end in a run of `period`, `times` times in a row */
static int repeats(const struct tokens *t, uint32_t times, size_t period) {
    if (period > t->n / times) return 0;
    for (size_t i = t->n - period * (times - 1); i < t->n; i++)
        if (token_at(t, i) != token_at(t, i - period)) return 0;
    return 1;
}

int penalty_in_loop(struct history h, uint32_t times, uint32_t token) {
    struct tokens t = tokens_of(h);
    for (size_t period = 1; period <= PENALTY_PERIOD_MAX && period <= t.n; period++)
        if (token_at(&t, t.n - period) == token && repeats(&t, times, period)) return 1;
    return 0;
}

void penalty_loop(float *x, uint32_t vocab, struct history h, uint32_t times) {
    struct tokens t = tokens_of(h);
    for (size_t period = 1; period <= PENALTY_PERIOD_MAX && period <= t.n; period++) {
        uint32_t token = token_at(&t, t.n - period);
        if (token < vocab && repeats(&t, times, period)) x[token] = PENALTY_BANNED;
    }
}
