/* The line editor. */
#include "lineedit.h"

enum {
    CTRL_A = 0x01,
    CTRL_C = 0x03,
    CTRL_D = 0x04,
    CTRL_E = 0x05,
    BELL = 0x07,
    BACKSPACE = 0x08,
    CTRL_K = 0x0B,
    CTRL_U = 0x15,
    CTRL_W = 0x17,
    ESCAPE = 0x1B,
    DELETE = 0x7F,
};

/* Keys that arrive as escape sequences; above every byte. */
enum key { KEY_NONE = 0x100, KEY_UP, KEY_DOWN, KEY_RIGHT, KEY_LEFT, KEY_HOME, KEY_END, KEY_DELETE };

static void echo(const struct lineedit *l, const char *text, size_t n) {
    if (!l->literal) l->platform->write(l->platform->ctx, text, n);
}

static void bell(const struct lineedit *l) {
    static const char byte = BELL;
    echo(l, &byte, 1);
}

void lineedit_continue(struct lineedit *l, const char *prompt) {
    l->base = l->cursor = l->used;
    l->same = l->recall = l->drafted = 0;
    l->late = 0;
    l->partial = (struct utf8){.needed = 0};
    l->row.platform = l->platform;
    l->row.prompt = prompt;
    linerow_start(&l->row);
}

void lineedit_start(struct lineedit *l, const char *prompt) {
    l->used = 0;
    l->too_long = 0;
    lineedit_continue(l, prompt);
}

void lineedit_show(struct lineedit *l) {
    if (l->escape == ESCAPE_SEEN && !l->alone) {
        l->alone = 1;
        l->escape_at = l->platform->now_us(l->platform->ctx);
    }
    if (!l->late) return;
    linerow_show(&l->row, l->line + l->base, l->used - l->base, l->cursor - l->base, l->same);
    l->same = SIZE_MAX;
    l->late = 0;
}

/* The bytes from `from` on have changed, or the cursor has moved: shown at once where that is little work, so that
 * a far end sees each key, else when there is time. */
static void changed(struct lineedit *l, size_t from) {
    int quick = !l->late && l->cursor == l->used;
    if (from - l->base < l->same) l->same = from - l->base;
    l->late = 1;
    if (quick && linerow_is_quick(&l->row, l->used - l->base, l->same)) lineedit_show(l);
}

static void move(struct lineedit *l, size_t to) {
    l->cursor = to;
    l->late = 1;
}

static void insert(struct lineedit *l, const char *text, size_t n) {
    if (n == 0 || l->too_long) return;
    if (n > l->size - l->used) {
        l->too_long = 1;
        bell(l);
        return;
    }
    for (size_t i = l->used; i > l->cursor; i--) l->line[i - 1 + n] = l->line[i - 1];
    for (size_t i = 0; i < n; i++) l->line[l->cursor + i] = text[i];
    l->used += n;
    l->cursor += n;
    changed(l, l->cursor - n);
}

/* Takes the bytes of [from,to) out; the cursor is then there. */
static void erase(struct lineedit *l, size_t from, size_t to) {
    if (from == to) return;
    for (size_t i = to; i < l->used; i++) l->line[from + i - to] = l->line[i];
    l->used -= to - from;
    l->cursor = from;
    if (l->used == l->base) l->too_long = 0;
    changed(l, from);
}

static size_t before(const struct lineedit *l) {
    if (l->cursor == l->base) return l->base;
    return l->base + linerow_before(l->line + l->base, l->cursor - l->base);
}

static size_t after(const struct lineedit *l) {
    if (l->cursor == l->used) return l->used;
    return linerow_after(l->line, l->used, l->cursor);
}

static size_t word_before(const struct lineedit *l) {
    size_t at = l->cursor;
    while (at > l->base && (l->line[at - 1] == ' ' || l->line[at - 1] == '\t')) at--;
    while (at > l->base && l->line[at - 1] != ' ' && l->line[at - 1] != '\t') at--;
    return at;
}

static void replace(struct lineedit *l, const char *text, size_t n) {
    erase(l, l->base, l->used);
    l->cursor = l->base;
    insert(l, text, n);
}

/* Line i of the history, 1 the newest, or with 0 what was being typed. */
static void recall(struct lineedit *l, size_t i) {
    size_t n = l->drafted;
    const char *text = i == 0 ? l->draft : typed_line(&l->history, i - 1, &n);
    if (!text || !l->draft || i == l->recall || n > l->size - l->base) return;
    if (l->recall == 0) {
        l->drafted = l->too_long ? 0 : l->used - l->base;
        for (size_t k = 0; k < l->drafted; k++) l->draft[k] = l->line[l->base + k];
    }
    l->recall = i;
    replace(l, text, n);
}

/* What a sequence that ends with this byte means. */
static enum key key_of(const struct lineedit *l, uint8_t last) {
    static const char letters[] = "ABCDHF";
    static const enum key keys[] = {KEY_UP, KEY_DOWN, KEY_RIGHT, KEY_LEFT, KEY_HOME, KEY_END};
    for (size_t i = 0; letters[i]; i++)
        if ((char)last == letters[i]) return keys[i];
    if (last != '~') return KEY_NONE;
    unsigned number = l->number % 100;
    if (number == 3) return KEY_DELETE;
    return number == 1 || number == 7 ? KEY_HOME : number == 4 || number == 8 ? KEY_END : KEY_NONE;
}

static void read_number(struct lineedit *l, uint8_t byte) {
    if (byte >= '0' && byte <= '9' && l->number < 10) l->number = l->number * 10 + byte - '0';
    else if (l->number < 100) l->number += 100;
}

/* The byte, or the key that it completes; KEY_NONE for a part of an escape sequence (ESC [ … last, ESC O last, ESC
 * other) and for unknown ones. */
static int key_from(struct lineedit *l, uint8_t byte) {
    if (byte == ESCAPE) {
        l->escape = ESCAPE_SEEN;
        l->alone = 0;
        return KEY_NONE;
    }
    if (l->escape == ESCAPE_SEEN && l->alone && l->platform->now_us(l->platform->ctx) - l->escape_at > ESCAPE_US)
        l->escape = ESCAPE_NONE; /* the key alone */
    switch (l->escape) {
    case ESCAPE_NONE: return byte;
    case ESCAPE_SEEN:
        l->escape = byte == '[' ? ESCAPE_SEQUENCE : byte == 'O' ? ESCAPE_LAST : ESCAPE_NONE;
        l->number = 0;
        return KEY_NONE;
    case ESCAPE_SEQUENCE:
        if (byte < 0x40 || byte > 0x7E) {
            read_number(l, byte);
            return KEY_NONE;
        }
        break;
    default: break;
    }
    l->escape = ESCAPE_NONE;
    return key_of(l, byte);
}

/* A byte of a line for programs. */
static enum line_event push_literal(struct lineedit *l, int key) {
    switch (key) {
    case '\r': return LINE_READY;
    case BACKSPACE:
    case DELETE: /* the last code point: its continuation bytes (three at most) and its first */
        for (int i = 0; i < 3 && l->used > 1 && ((uint8_t)l->line[l->used - 1] & 0xC0) == 0x80; i++) l->used--;
        if (l->used > 0) l->used--;
        break;
    case CTRL_C:
    case CTRL_U: l->used = l->too_long = 0; break;
    default:
        if (key > 0xFF || (key < 0x20 && key != '\n' && key != '\t')) break;
        if (l->used == l->size) l->too_long = 1;
        else l->line[l->used++] = (char)key;
    }
    return LINE_MORE;
}

void lineedit_finish(struct lineedit *l) {
    char out[UTF8_PUSH_MAX];
    insert(l, out, utf8_end(&l->partial, out));
    lineedit_show(l);
}

static enum line_event submit(struct lineedit *l) {
    lineedit_finish(l);
    if (!l->too_long) typed_add(&l->history, l->line + l->base, l->used - l->base);
    echo(l, "\n", 1);
    return LINE_READY;
}

/* A key that is no text. */
static enum line_event act(struct lineedit *l, int key) {
    switch (key) {
    case CTRL_D: return l->used == 0 ? LINE_END : LINE_MORE;
    case CTRL_C:
        erase(l, l->base, l->used);
        lineedit_show(l);
        return l->base > 0 ? LINE_CANCEL : LINE_MORE;
    case BACKSPACE:
    case DELETE: erase(l, before(l), l->cursor); break;
    case KEY_DELETE: {
        size_t cursor = l->cursor;
        erase(l, cursor, after(l));
        break;
    }
    case CTRL_U: erase(l, l->base, l->cursor); break;
    case CTRL_K: erase(l, l->cursor, l->used); break;
    case CTRL_W: erase(l, word_before(l), l->cursor); break;
    case CTRL_A:
    case KEY_HOME: move(l, l->base); break;
    case CTRL_E:
    case KEY_END: move(l, l->used); break;
    case KEY_LEFT: move(l, before(l)); break;
    case KEY_RIGHT: move(l, after(l)); break;
    case KEY_UP: recall(l, l->recall + 1); break;
    case KEY_DOWN:
        if (l->recall > 0) recall(l, l->recall - 1);
        break;
    default: break;
    }
    return LINE_MORE;
}

enum line_event lineedit_push(struct lineedit *l, uint8_t byte) {
    char out[UTF8_PUSH_MAX];
    int after_cr = l->after_cr, key = key_from(l, byte);
    if (l->literal) return push_literal(l, key);
    l->after_cr = key == '\r';
    if (key == KEY_NONE || (key == '\n' && after_cr)) return LINE_MORE; /* CR LF is one line end */
    if (key == '\r' || key == '\n') return submit(l);
    if ((key >= 0x20 && key <= 0xFF && key != DELETE) || key == '\t') {
        insert(l, out, utf8_push(&l->partial, byte, out));
        return LINE_MORE;
    }
    if (l->partial.needed > 0 && (key == BACKSPACE || key == DELETE)) {
        l->partial.needed = 0; /* not on the screen yet */
        return LINE_MORE;
    }
    insert(l, out, utf8_end(&l->partial, out));
    return act(l, key);
}
