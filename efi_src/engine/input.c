/* Input with type-ahead. */
#include "input.h"
#include "lineedit.h"

enum { AHEAD = sizeof((struct input *)0)->ahead };

static int take(struct input *in) { return in->platform->read(in->platform->ctx); }

int input_now(struct input *in) {
    if (in->count == 0) return take(in);
    uint8_t byte = in->ahead[in->first];
    in->first = (in->first + 1) % AHEAD;
    in->count--;
    return byte;
}

int input_next(struct input *in) {
    for (;;) {
        int byte = input_now(in);
        if (byte != -1) return byte;
        in->platform->wait(in->platform->ctx);
    }
}

static void keep(struct input *in, int byte) {
    if (in->count == AHEAD) return;
    in->ahead[(in->first + in->count) % AHEAD] = (uint8_t)byte;
    in->count++;
}

/* The byte that follows at once, or less than 0. */
static int take_soon(struct input *in) {
    const struct platform *p = in->platform;
    uint64_t start = p->now_us(p->ctx);
    int byte;
    while ((byte = take(in)) == -1 && p->now_us(p->ctx) - start <= ESCAPE_US) {}
    return byte;
}

/* After an escape byte: takes the rest of a sequence; 0 when there is none. */
static int skip_sequence(struct input *in) {
    int byte = take_soon(in);
    if (byte == 'O') return take_soon(in) >= 0;
    if (byte == '[') {
        while ((byte = take_soon(in)) >= 0 && (byte < 0x40 || byte > 0x7E)) {}
        return 1;
    }
    if (byte >= 0) keep(in, byte);
    return 0;
}

int input_stopped(struct input *in) {
    int byte;
    while (in->count < AHEAD && (byte = take(in)) >= 0) {
        if (byte == 0x03 || (byte == 0x1B && !skip_sequence(in))) return 1;
        if (byte != 0x1B) keep(in, byte);
    }
    return 0;
}
