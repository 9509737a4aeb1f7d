/* Drawing a line in its row. */
#include "linerow.h"
#include "unicode.h"

static size_t width_at(const char *text, size_t n, size_t at, size_t *length) {
    uint32_t code;
    *length = unicode_next((const uint8_t *)text + at, n - at, &code);
    return unicode_width(code);
}

size_t linerow_after(const char *text, size_t n, size_t at) {
    size_t length;
    width_at(text, n, at, &length);
    for (at += length; at < n; at += length)
        if (width_at(text, n, at, &length) > 0) break;
    return at;
}

size_t linerow_before(const char *text, size_t at) {
    size_t length, n = at;
    do { /* a code point back */
        do at--;
        while (at > 0 && ((uint8_t)text[at] & 0xC0) == 0x80);
    } while (at > 0 && width_at(text, n, at, &length) == 0);
    return at;
}

static size_t columns_of(const char *text, size_t from, size_t to) {
    size_t columns = 0;
    for (size_t length; from < to; from += length) columns += width_at(text, to, from, &length);
    return columns;
}

static void put(const struct linerow *r, const char *text, size_t n) {
    char out[64];
    for (size_t used = 0, i = 0; i < n; i++) {
        out[used++] = text[i];
        if (text[i] == '\t') out[used - 1] = ' ';
        if (used < sizeof out && i + 1 < n) continue;
        r->platform->write(r->platform->ctx, out, used);
        used = 0;
    }
}

static void put_many(const struct linerow *r, char c, size_t n) {
    char out[LINEROW_COLUMNS];
    for (size_t i = 0; i < sizeof out; i++) out[i] = c;
    for (size_t m; n > 0; n -= m) {
        m = n < sizeof out ? n : sizeof out;
        put(r, out, m);
    }
}

void linerow_start(struct linerow *r) {
    *r = (struct linerow){.platform = r->platform, .prompt = r->prompt};
}

static size_t column_of(const struct linerow *r, const char *text, size_t at) {
    return (r->start > 0) + columns_of(text, r->start, at);
}

/* Moves the cursor; up to the byte `at` the row shows the text as it is. */
static void go_to(struct linerow *r, const char *text, size_t at) {
    size_t column = column_of(r, text, at);
    if (column < r->column) put_many(r, '\b', r->column - column);
    else if (at > r->at) put(r, text + r->at, at - r->at);
    r->column = column;
    r->at = at;
}

/* The text was made longer at its end, where the cursor is. */
static void append(struct linerow *r, const char *text, size_t n) {
    if (!r->flowing) go_to(r, text, r->end);
    put(r, text + r->end, n - r->end);
    if (!r->flowing) r->columns += columns_of(text, r->end, n);
    if (r->columns > LINEROW_COLUMNS) r->flowing = 1;
    r->column = r->columns;
    r->end = r->at = n;
}

/* Where the row begins, so that the cursor is in it: where it did, if that will do. */
static size_t choose_start(const struct linerow *r, const char *text, size_t n, size_t cursor, size_t same) {
    if (columns_of(text, 0, n) <= LINEROW_COLUMNS) return 0;
    if (cursor >= r->start && same >= r->start && column_of(r, text, cursor) < LINEROW_COLUMNS) return r->start;
    size_t start = cursor, columns = 0;
    while (start > 0 && columns < LINEROW_COLUMNS / 2) {
        size_t before = linerow_before(text, start);
        columns += columns_of(text, before, start);
        start = before;
    }
    return start;
}

/* Where the part that fits into the row ends: before n there is room for a '>'. */
static size_t find_end(const struct linerow *r, const char *text, size_t n) {
    size_t columns = r->start > 0, end = r->start, length;
    if (columns + columns_of(text, r->start, n) <= LINEROW_COLUMNS) return n;
    for (size_t width; end < n; end += length, columns += width) {
        width = width_at(text, n, end, &length);
        if (columns + width > LINEROW_COLUMNS - 1) break;
    }
    return end;
}

/* Draws the row from the byte `from` on; what stands before it is right. */
static void draw(struct linerow *r, const char *text, size_t n, size_t from, size_t end) {
    size_t before = r->columns;
    go_to(r, text, from);
    put(r, text + from, end - from);
    r->more = end < n;
    if (r->more) put(r, ">", 1);
    r->columns = column_of(r, text, end) + (size_t)r->more;
    r->column = r->columns;
    r->end = r->at = end;
    if (before <= r->columns) return;
    put_many(r, ' ', before - r->columns);
    put_many(r, '\b', before - r->columns);
}

static void new_row(struct linerow *r) {
    size_t length = 0;
    put(r, "\n", 1);
    while (r->prompt[length]) length++;
    put(r, r->prompt, length);
    linerow_start(r);
}

void linerow_show(struct linerow *r, const char *text, size_t n, size_t cursor, size_t same) {
    if (same >= r->end && cursor == n && (r->flowing || (r->start == 0 && !r->more))) {
        append(r, text, n);
        return;
    }
    if (r->flowing) new_row(r);
    size_t start = choose_start(r, text, n, cursor, same), from = start;
    int moved = start != r->start;
    if (moved) {
        put_many(r, '\b', r->column);
        r->column = start > 0;
        if (start > 0) put(r, "<", 1);
        r->start = r->at = start;
    }
    size_t end = find_end(r, text, n);
    int more = end < n;
    if (!moved && same >= r->end && end == r->end && more == r->more) from = end; /* the cursor alone */
    else if (!moved && !more && !r->more) from = same < r->end ? same : r->end;
    if (from < start) from = start;
    if (from < end || end != r->end || more != r->more || moved) draw(r, text, n, from, end);
    go_to(r, text, cursor);
}

int linerow_is_quick(const struct linerow *r, size_t n, size_t same) {
    if (r->start > 0 || r->more || r->at != r->end) return 0;
    return same >= r->end || (!r->flowing && n <= same);
}
