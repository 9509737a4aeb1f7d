/* Stop sequences. */
#include "stop.h"

enum fit { NONE, BEGINS, WHOLE };

static enum fit fits(const struct stop *s, const char *sequence) {
    size_t i = 0;
    while (i < s->used && sequence[i] != 0 && s->held[i] == sequence[i]) i++;
    if (i < s->used) return NONE;
    return sequence[i] == 0 ? WHOLE : BEGINS;
}

/* How what is held fits the sequences that are on */
static enum fit best_fit(const struct stop *s) {
    enum fit you = s->you ? fits(s, "\nYou:") : NONE, nl = s->nl ? fits(s, "\n\n") : NONE;
    return you > nl ? you : nl;
}

struct stop stop_start(int you, int nl) { return (struct stop){.you = you, .nl = nl}; }

size_t stop_push(struct stop *s, char byte, char *out) {
    size_t n = 0;
    if (s->matched) return 0;
    s->held[s->used++] = byte; /* there is room: STOP_HELD_MAX of them would be a whole sequence */
    while (s->used > 0) {
        enum fit fit = best_fit(s);
        if (fit == WHOLE) s->matched = 1;
        if (fit != NONE) break;
        out[n++] = s->held[0]; /* a sequence may begin one byte later */
        s->used--;
        for (size_t i = 0; i < s->used; i++) s->held[i] = s->held[i + 1];
    }
    return n;
}

size_t stop_end(struct stop *s, char *out) {
    size_t n = s->matched ? 0 : s->used;
    for (size_t i = 0; i < n; i++) out[i] = s->held[i];
    s->used = 0;
    return n;
}
