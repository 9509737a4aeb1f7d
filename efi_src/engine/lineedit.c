/* The line editor. */
#include "lineedit.h"

enum {
    CTRL_C = 0x03,
    CTRL_D = 0x04,
    BELL = 0x07,
    BACKSPACE = 0x08,
    CTRL_U = 0x15,
    ESCAPE = 0x1B,
    DELETE = 0x7F,
};

static void echo(const struct lineedit *l, const char *text, size_t n) {
    if (!l->literal && n > 0) l->platform->write(l->platform->ctx, text, n);
}

void lineedit_start(struct lineedit *l) {
    l->used = 0;
    l->too_long = 0;
    l->echo = (struct utf8){.needed = 0};
}

static void insert(struct lineedit *l, uint8_t byte) {
    char shown[UTF8_PUSH_MAX];
    if (l->used == l->size) {
        static const char bell = BELL;
        l->too_long = 1;
        echo(l, &bell, 1);
        return;
    }
    l->line[l->used++] = (char)byte;
    echo(l, shown, utf8_push(&l->echo, byte, shown));
}

/* The last code point: its continuation bytes (three at most) and its first. */
static void erase(struct lineedit *l) {
    if (l->used == 0) return;
    int shown = l->echo.needed == 0; /* an unfinished one is not on the screen yet */
    for (int i = 0; i < 3 && l->used > 1 && ((uint8_t)l->line[l->used - 1] & 0xC0) == 0x80; i++) l->used--;
    l->used--;
    l->echo.needed = 0;
    if (shown) echo(l, "\b \b", 3);
}

/* Whether the byte belongs to an escape sequence: ESC [ … final, ESC O final, ESC other. */
static int in_escape(struct lineedit *l, uint8_t byte) {
    uint64_t now = l->platform->now_us(l->platform->ctx);
    if (byte == ESCAPE) {
        l->escape = ESCAPE_SEEN;
        l->escape_at = now;
        return 1;
    }
    if (l->escape == ESCAPE_NONE) return 0;
    if (l->escape == ESCAPE_SEEN && now - l->escape_at > ESCAPE_US) {
        l->escape = ESCAPE_NONE; /* it was the key alone */
        return 0;
    }
    if (l->escape == ESCAPE_SEEN && byte == '[') l->escape = ESCAPE_SEQUENCE;
    else if (l->escape == ESCAPE_SEEN && byte == 'O') l->escape = ESCAPE_LAST;
    else if (l->escape != ESCAPE_SEQUENCE || (byte >= 0x40 && byte <= 0x7E)) l->escape = ESCAPE_NONE;
    return 1;
}

static enum line_event submit(struct lineedit *l) {
    echo(l, "\n", 1);
    return LINE_READY;
}

enum line_event lineedit_push(struct lineedit *l, uint8_t byte) {
    int after_cr = l->after_cr;
    l->after_cr = 0;
    if (in_escape(l, byte)) return LINE_MORE;
    switch (byte) {
    case '\r':
        l->after_cr = 1;
        return submit(l);
    case '\n':
        if (l->literal) break;
        return after_cr ? LINE_MORE : submit(l); /* CR LF is one line end */
    case '\t':
        if (l->literal) break;
        return LINE_MORE;
    case CTRL_D:
        return l->used == 0 && !l->literal ? LINE_END : LINE_MORE;
    case BACKSPACE:
    case DELETE:
        erase(l);
        return LINE_MORE;
    case CTRL_C:
    case CTRL_U:
        while (l->used > 0) erase(l);
        l->too_long = 0;
        return LINE_MORE;
    default:
        if (byte < 0x20) return LINE_MORE;
    }
    insert(l, byte);
    return LINE_MORE;
}
