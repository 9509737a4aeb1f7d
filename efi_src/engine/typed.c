/* Lines typed before. */
#include "typed.h"

static void copy(char *to, const char *from, size_t n) {
    for (size_t i = 0; i < n; i++) to[i] = from[i];
}

static void drop_oldest(struct typed *h) {
    size_t gone = h->length[0];
    h->used -= gone;
    copy(h->bytes, h->bytes + gone, h->used);
    h->count--;
    for (size_t i = 0; i < h->count; i++) h->length[i] = h->length[i + 1];
}

const char *typed_line(const struct typed *h, size_t i, size_t *n) {
    size_t end = h->used, at = h->count;
    if (i >= h->count) return NULL;
    for (size_t skip = 0; skip < i; skip++) end -= h->length[--at];
    *n = h->length[at - 1];
    return h->bytes + end - *n;
}

static int is_newest(const struct typed *h, const char *line, size_t n) {
    size_t length, same = 0;
    const char *newest = typed_line(h, 0, &length);
    if (!newest || length != n) return 0;
    while (same < n && newest[same] == line[same]) same++;
    return same == n;
}

void typed_add(struct typed *h, const char *line, size_t n) {
    if (n == 0 || !h->bytes || n > h->size || is_newest(h, line, n)) return;
    while (h->count == TYPED_LINES || n > h->size - h->used) drop_oldest(h);
    copy(h->bytes + h->used, line, n);
    h->used += n;
    h->length[h->count++] = n;
}
