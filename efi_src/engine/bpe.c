/* GPT-2's byte-level BPE: a text is cut into words, a word is its bytes' tokens, and neighbours become one by a ranked
 * list of merges. In a file each byte is one printable character of GPT-2's alphabet. */
#include "text.h"
#include "tokenizer_parts.h"
#include "unicode.h"

/* The byte that a character stands for, or -1: printable ones for themselves, U+0100 and up for the other 68, in order
 * (bytes_to_unicode). */
static int alphabet_byte(uint32_t code) {
    if ((code >= 0x21 && code <= 0x7E) || (code >= 0xA1 && code <= 0xAC) || (code >= 0xAE && code <= 0xFF))
        return (int)code;
    if (code >= 0x100 && code <= 0x120) return (int)code - 0x100;
    if (code >= 0x121 && code <= 0x142) return (int)code - 0x121 + 0x7F;
    return code == 0x143 ? 0xAD : -1;
}

/* The bytes that n bytes of the alphabet's characters stand for -> out (n); 0 when some are not of it. */
static int to_bytes(const uint8_t *text, size_t n, uint8_t *out, size_t *used) {
    *used = 0;
    for (size_t at = 0; at < n;) {
        uint32_t code;
        at += unicode_next(text + at, n - at, &code);
        int byte = alphabet_byte(code);
        if (byte < 0) return 0;
        out[(*used)++] = (uint8_t)byte;
    }
    return 1;
}

static enum status read_pieces(struct tokenizer *t, struct token_list *list, uint8_t *pool, struct error *error) {
    size_t used = 0;
    for (uint32_t id = 0; id < list->count; id++) {
        struct token token;
        struct piece *piece = &t->tokens.pieces[id];
        enum status status = token_list_next(list, &token, error);
        if (status != OK) return status;
        const uint8_t *text = (const uint8_t *)token.text.text;
        size_t n = token.text.length, bytes = n;
        if (token.type == PIECE_BYTE)
            return fail(error, E_FORMAT, "a byte token in a tokenizer of the kind gpt2", token.text.text, n);
        int is_text = token.type == PIECE_NORMAL || token.type == PIECE_UNUSED || token.type == PIECE_UNDEFINED;
        if (!is_text || !to_bytes(text, n, pool + used, &bytes)) {
            if (token.type == PIECE_NORMAL)
                return fail(error, E_FORMAT, "a token outside the alphabet of bytes", token.text.text, n);
            bytes = n;
            for (size_t i = 0; i < n; i++) pool[used + i] = text[i];
        }
        *piece = (struct piece){.text = pool + used, .length = (uint32_t)bytes, .type = (uint8_t)token.type};
        used += bytes;
        if (!is_text || bytes != 1) {
            if (t->kind == TOKENIZER_BYTES && is_text && token.type != PIECE_UNUSED)
                return fail(error, E_UNSUPPORTED, "no merges, and a token that is not one byte", token.text.text, n);
            continue;
        }
        if (t->tokens.byte_id[piece->text[0]] != TOKEN_NONE)
            return fail(error, E_FORMAT, "a token that is there twice", token.text.text, n);
        t->tokens.byte_id[piece->text[0]] = id;
    }
    return vocab_check_bytes(&t->tokens, error);
}

/* The slot of this pair, or the free one where it belongs; NULL when the search is too long. */
static struct token_merge *find_merge(const struct tokenizer *t, uint32_t left, uint32_t right) {
    uint64_t at = vocab_mix((uint64_t)left << 32 | right);
    for (uint32_t probe = 0; probe < VOCAB_PROBES; probe++) {
        struct token_merge *m = &t->merges[(at + probe) & t->merge_mask];
        if (m->rank == 0 || (m->left == left && m->right == right)) return m;
    }
    return NULL;
}

/* "LEFT RIGHT": a space is no character of the alphabet, so the first that is not at the start parts them. */
static enum status add_merge(struct tokenizer *t, const struct gguf_string *line, uint32_t rank,
                             struct error *error) {
    uint8_t joined[2 * VOCAB_LONGEST];
    const uint8_t *text = (const uint8_t *)line->text;
    size_t n = line->length, left_bytes, right_bytes, space = 1;
    while (space < n && text[space] != ' ') space++;
    if (space + 1 >= n || n > sizeof joined || !to_bytes(text, space, joined, &left_bytes) ||
        !to_bytes(text + space + 1, n - space - 1, joined + left_bytes, &right_bytes))
        return fail(error, E_FORMAT, "a merge that is not two tokens", line->text, n);
    uint32_t left = vocab_word(&t->tokens, joined, left_bytes);
    uint32_t right = vocab_word(&t->tokens, joined + left_bytes, right_bytes);
    uint32_t id = vocab_word(&t->tokens, joined, left_bytes + right_bytes);
    if (left == TOKEN_NONE || right == TOKEN_NONE || id == TOKEN_NONE)
        return fail(error, E_FORMAT, "a merge that names no token", line->text, n);
    struct token_merge *m = find_merge(t, left, right);
    if (!m) return fail(error, E_FORMAT, "merges that no table can hold", NULL, 0);
    if (m->rank == 0) *m = (struct token_merge){.left = left, .right = right, .id = id, .rank = rank};
    return OK; /* the first of two equal ones counts */
}

static enum status read_merges(struct tokenizer *t, const struct gguf *file, struct gguf_value merges,
                               const struct platform *platform, struct error *error) {
    struct gguf_string line;
    enum status status = OK;
    uint32_t slots = vocab_slots((uint32_t)merges.count);
    t->merge_mask = slots - 1;
    t->merges = memory_take(&t->memory, platform, slots, sizeof *t->merges, "the tokenizer", error);
    if (!t->merges) return E_MEMORY;
    for (uint32_t rank = 1; status == OK && gguf_next_string(file, &merges, &line); rank++)
        status = add_merge(t, &line, rank, error);
    return status;
}

/* tokenizer.ggml.merges, if there are any -> its items; and whether this engine can cut words as they need it */
static enum status check_merges(struct tokenizer *t, const struct gguf *file, struct gguf_value *merges,
                                struct error *error) {
    static const char key[] = "tokenizer.ggml.merges", pre_key[] = "tokenizer.ggml.pre";
    struct gguf_value value;
    struct gguf_string name;
    t->kind = TOKENIZER_BYTES;
    *merges = (struct gguf_value){.count = 0};
    if (!gguf_find(file, key, &value)) return OK;
    if (value.type != GGUF_ARRAY || (value.count > 0 && value.item != GGUF_STRING))
        return fail(error, E_FORMAT, "a key of the wrong type", key, sizeof key - 1);
    if (value.count > TOKENIZER_MAX_MERGES)
        return fail(error, E_UNSUPPORTED, "more than 2097152 merges", NULL, 0);
    if (value.count == 0) return OK;
    t->kind = TOKENIZER_BPE;
    *merges = value;
    t->pretokenizer = PRETOKENIZER_GPT2;
    if (!gguf_find(file, pre_key, &value)) return OK;
    enum status status = gguf_text(file, pre_key, &name, error);
    if (status == OK && !pretokenizer_find(name.text, name.length, &t->pretokenizer))
        status = fail(error, E_UNSUPPORTED, "a pre-tokenizer that this engine has not", name.text, name.length);
    return status;
}

enum status bpe_load(struct tokenizer *t, const struct gguf *file, const struct platform *platform,
                     struct error *error) {
    struct token_list list;
    struct gguf_value merges;
    uint8_t *pool = NULL;
    enum status status = check_merges(t, file, &merges, error);
    if (status == OK) status = token_list_open(&list, file, 0, error);
    if (status == OK) status = vocab_open(&t->tokens, list.count, &t->memory, platform, error);
    if (status == OK) {
        pool = memory_take(&t->memory, platform, list.bytes, 1, "the tokenizer", error);
        if (!pool) status = E_MEMORY;
    }
    if (status == OK) status = read_pieces(t, &list, pool, error);
    if (status == OK) status = vocab_index(&t->tokens, error);
    if (status == OK && merges.count > 0) status = read_merges(t, file, merges, platform, error);
    t->bos = t->eos = TOKEN_NONE;
    t->add_bos = t->whole_words = t->pretokenizer == PRETOKENIZER_LLAMA3; /* as llama.cpp */
    return status;
}

static int rule(const void *ctx, const uint8_t *text, const struct symbol *left, const struct symbol *right,
                uint32_t *id, uint32_t *order) {
    const struct token_merge *m = find_merge(ctx, left->id, right->id);
    (void)text;
    if (!m || m->rank == 0) return 0;
    *id = m->id;
    *order = m->rank;
    return 1;
}

static void encode_word(const struct tokenizer *t, const struct token_scratch *scratch, const uint8_t *word,
                        size_t n, struct token_output *out) {
    struct symbol *symbols = scratch->symbols;
    uint32_t whole = t->whole_words ? vocab_word(&t->tokens, word, n) : TOKEN_NONE;
    if (whole != TOKEN_NONE) {
        token_put(out, whole);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        symbols[i] = (struct symbol){.at = i, .bytes = 1, .id = t->tokens.byte_id[word[i]]};
    merge_symbols(rule, t, word, symbols, (uint32_t)n, scratch->heap);
    for (uint32_t i = 0; i < n; i++)
        if (symbols[i].bytes > 0) token_put(out, symbols[i].id);
}

void bpe_encode(const struct tokenizer *t, const struct token_scratch *scratch, const uint8_t *text, size_t n,
                struct token_output *out) {
    if (t->kind == TOKENIZER_BYTES) {
        for (size_t i = 0; i < n; i++) token_put(out, t->tokens.byte_id[text[i]]);
        return;
    }
    while (n > 0) {
        size_t part = pretokenizer_part(t->pretokenizer, text, n);
        for (size_t at = 0; at < part;) {
            size_t word = pretokenizer_word(t->pretokenizer, text + at, part - at);
            encode_word(t, scratch, text + at, word, out);
            at += word;
        }
        text += part;
        n -= part;
    }
}
