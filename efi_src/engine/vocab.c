/* Tables of tokens. */
#include "vocab.h"
#include "text.h"

#define NONE UINT32_MAX

uint64_t vocab_mix(uint64_t x) { /* splitmix64's finish */
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

uint32_t vocab_slots(uint32_t count) {
    uint32_t slots = 16;
    while (slots / 2 < count) slots *= 2;
    return slots;
}

static uint64_t hash(const uint8_t *text, size_t n) { /* FNV-1a, then mixed */
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ text[i]) * 0x100000001B3u;
    return vocab_mix(h);
}

static int same(const struct piece *piece, const uint8_t *text, size_t n) {
    if (piece->length != n) return 0;
    for (size_t i = 0; i < n; i++)
        if (piece->text[i] != text[i]) return 0;
    return 1;
}

/* The slot that holds these bytes, or the free one where they belong; NULL when the search is too long. */
static uint32_t *find(const struct vocab *v, const struct word_table *table, const uint8_t *text, size_t n) {
    uint64_t at = hash(text, n);
    for (uint32_t probe = 0; probe < VOCAB_PROBES; probe++) {
        uint32_t *slot = &table->slots[(at + probe) & table->mask];
        if (*slot == 0 || same(&v->pieces[*slot - 1], text, n)) return slot;
    }
    return NULL;
}

static uint32_t look_up(const struct vocab *v, const struct word_table *table, const uint8_t *text, size_t n) {
    const uint32_t *slot = find(v, table, text, n);
    return slot && *slot != 0 ? *slot - 1 : NONE;
}

uint32_t vocab_word(const struct vocab *v, const uint8_t *text, size_t n) {
    uint32_t id = n <= v->longest ? look_up(v, &v->words, text, n) : NONE;
    return id != NONE && v->pieces[id].type == PIECE_CONTROL ? NONE : id; /* an own one that is guarded */
}

uint32_t vocab_special(const struct vocab *v, const uint8_t *text, size_t n) {
    return look_up(v, &v->specials, text, n);
}

enum status vocab_open(struct vocab *v, uint32_t count, struct memory *m, const struct platform *platform,
                       struct error *error) {
    uint32_t slots = vocab_slots(count);
    v->count = count;
    v->longest = 0;
    for (uint32_t byte = 0; byte < 256; byte++) v->byte_id[byte] = NONE;
    v->words.mask = v->specials.mask = slots - 1;
    v->pieces = memory_take(m, platform, count, sizeof *v->pieces, "the tokenizer", error);
    if (v->pieces) v->words.slots = memory_take(m, platform, slots, sizeof(uint32_t), "the tokenizer", error);
    if (v->pieces && v->words.slots)
        v->specials.slots = memory_take(m, platform, slots, sizeof(uint32_t), "the tokenizer", error);
    return v->pieces && v->words.slots && v->specials.slots ? OK : E_MEMORY;
}

/* An own piece may write what a normal one does, which then stays the word. */
static enum status enter(struct vocab *v, struct word_table *table, uint32_t id, int must_be_new,
                         struct error *error) {
    const struct piece *piece = &v->pieces[id];
    uint32_t *slot = find(v, table, piece->text, piece->length);
    if (!slot) return fail(error, E_FORMAT, "tokens that no table can hold", NULL, 0);
    if (*slot != 0) {
        if (!must_be_new) return OK;
        return fail(error, E_FORMAT, "a token that is there twice", (const char *)piece->text, piece->length);
    }
    *slot = id + 1;
    if (table == &v->words && piece->length > v->longest) v->longest = piece->length;
    return OK;
}

enum status vocab_index(struct vocab *v, struct error *error) {
    for (int own = 0; own <= 1; own++) /* the normal ones first */
        for (uint32_t id = 0; id < v->count; id++) {
            enum status status = OK;
            const struct piece *piece = &v->pieces[id];
            int is_own = piece->type == PIECE_OWN;
            int is_special = is_own || piece->type == PIECE_CONTROL || piece->type == PIECE_UNKNOWN;
            if (piece->length == 0 || is_own != own || piece->type == PIECE_BYTE) continue;
            if (is_special) status = enter(v, &v->specials, id, 1, error);
            if (status == OK && (is_own || !is_special)) status = enter(v, &v->words, id, !is_own, error);
            if (status != OK) return status;
        }
    return OK;
}

enum status vocab_check_bytes(const struct vocab *v, struct error *error) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        if (v->byte_id[byte] != NONE) continue;
        struct text t = error_text(error, E_UNSUPPORTED);
        text_add(&t, "a vocabulary without a token for the byte ");
        text_add_u64(&t, byte);
        return E_UNSUPPORTED;
    }
    return OK;
}
