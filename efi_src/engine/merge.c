/* The order of merges that SentencePiece, llama.cpp and llama2.c share. */
#include "merge.h"

#define END UINT32_MAX

struct merger {
    merge_rule *rule;
    const void *ctx;
    const uint8_t *text;
    struct symbol *symbols;
    struct merge_pair *heap; /* every node's key <= its children's, 2i+1 and 2i+2 */
    size_t used;
};

static void push(struct merger *m, struct merge_pair pair) {
    size_t at = m->used++;
    while (at > 0 && m->heap[(at - 1) / 2].key > pair.key) {
        m->heap[at] = m->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    m->heap[at] = pair;
}

static struct merge_pair pop(struct merger *m) {
    struct merge_pair best = m->heap[0], last = m->heap[--m->used];
    size_t at = 0;
    for (size_t child = 1; child < m->used; child = 2 * at + 1) {
        if (child + 1 < m->used && m->heap[child + 1].key < m->heap[child].key) child++;
        if (m->heap[child].key >= last.key) break;
        m->heap[at] = m->heap[child];
        at = child;
    }
    m->heap[at] = last;
    return best;
}

/* Puts symbol `left` and the next one on the heap, if they may become one. */
static void offer(struct merger *m, uint32_t left) {
    if (left == END || m->symbols[left].next == END) return;
    const struct symbol *a = &m->symbols[left], *b = &m->symbols[a->next];
    uint32_t id, order;
    if (!m->rule(m->ctx, m->text, a, b, &id, &order)) return;
    push(m, (struct merge_pair){.key = (uint64_t)order << 32 | left, .id = id, .bytes = a->bytes + b->bytes});
}

void merge_symbols(merge_rule *rule, const void *ctx, const uint8_t *text, struct symbol *symbols,
                   uint32_t count, struct merge_pair *heap) {
    struct merger m = {.rule = rule, .ctx = ctx, .text = text, .symbols = symbols, .heap = heap, .used = 0};
    for (uint32_t i = 0; i < count; i++) {
        symbols[i].previous = i == 0 ? END : i - 1;
        symbols[i].next = i + 1 == count ? END : i + 1;
    }
    for (uint32_t i = 0; i < count; i++) offer(&m, i);
    /* a merge takes one pair off the heap and puts two on it, so there are never more than 2 * count */
    while (m.used > 0) {
        struct merge_pair pair = pop(&m);
        uint32_t left = (uint32_t)pair.key;
        struct symbol *a = &symbols[left];
        if (a->bytes == 0 || a->next == END) continue;
        struct symbol *b = &symbols[a->next];
        if (a->bytes + b->bytes != pair.bytes) continue; /* symbols only grow: these are not the two it was for */
        a->id = pair.id;
        a->bytes = pair.bytes;
        b->bytes = 0;
        a->next = b->next;
        if (a->next != END) symbols[a->next].previous = left;
        offer(&m, a->previous);
        offer(&m, left);
    }
}
