/* SentencePiece's BPE: pieces have scores, the neighbours that make the best piece become one, and what is no piece in
 * the end is written with byte tokens. */
#include "text.h"
#include "tokenizer_parts.h"
#include "unicode.h"

static int hex(uint8_t digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

int spm_byte(const uint8_t *text, size_t n) {
    if (n != 6 || text[0] != '<' || text[1] != '0' || text[2] != 'x' || text[5] != '>') return -1;
    int high = hex(text[3]), low = hex(text[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

uint32_t spm_order(float score) {
    union { float number; uint32_t bits; } value = {.number = score + 0.0f}; /* -0 is 0 */
    uint32_t ascending = value.bits >> 31 ? ~value.bits : value.bits | 0x80000000u;
    return ~ascending;
}

/* The text with U+2581 as spaces -> out; returns its bytes. */
static size_t with_spaces(const uint8_t *text, size_t n, uint8_t *out) {
    size_t used = 0;
    for (size_t i = 0; i < n;) {
        int space = n - i >= 3 && text[i] == 0xE2 && text[i + 1] == 0x96 && text[i + 2] == 0x81;
        out[used++] = space ? ' ' : text[i];
        i += space ? 3 : 1;
    }
    return used;
}

/* Without a list of types: bytes and <unk>, <s>, </s> are told by their names. */
static enum piece_type guess(const uint8_t *text, size_t n) {
    const char *s = (const char *)text;
    if (spm_byte(text, n) >= 0) return PIECE_BYTE;
    if (text_equal(s, n, "<unk>")) return PIECE_UNKNOWN;
    return text_equal(s, n, "<s>") || text_equal(s, n, "</s>") ? PIECE_CONTROL : PIECE_NORMAL;
}

/* Every token of the list; `pool` holds their texts, after the 256 bytes that byte tokens write. */
static enum status read_pieces(struct tokenizer *t, struct token_list *list, uint8_t *pool, struct error *error) {
    size_t used = 256;
    for (uint32_t byte = 0; byte < 256; byte++) pool[byte] = (uint8_t)byte;
    for (uint32_t id = 0; id < list->count; id++) {
        struct token token;
        struct piece *piece = &t->tokens.pieces[id];
        enum status status = token_list_next(list, &token, error);
        if (status != OK) return status;
        const uint8_t *text = (const uint8_t *)token.text.text;
        size_t n = token.text.length;
        piece->type = (uint8_t)(list->has_types ? token.type : guess(text, n));
        piece->order = spm_order(token.score);
        if (piece->type == PIECE_BYTE) {
            int byte = spm_byte(text, n);
            if (byte < 0) return fail(error, E_FORMAT, "a byte token that is no <0xHH>", token.text.text, n);
            if (t->tokens.byte_id[byte] != TOKEN_NONE)
                return fail(error, E_FORMAT, "a token that is there twice", token.text.text, n);
            t->tokens.byte_id[byte] = id;
            piece->text = &pool[byte];
            piece->length = 1;
        } else {
            piece->text = pool + used;
            piece->length = (uint32_t)with_spaces(text, n, pool + used);
            used += piece->length;
        }
    }
    return OK;
}

enum status spm_load(struct tokenizer *t, const struct gguf *file, const struct platform *platform,
                     struct error *error) {
    struct token_list list;
    uint8_t *pool = NULL;
    enum status status = token_list_open(&list, file, 1, error);
    if (status == OK) status = vocab_open(&t->tokens, list.count, &t->memory, platform, error);
    if (status == OK) {
        pool = memory_take(&t->memory, platform, list.bytes + 256, 1, "the tokenizer", error);
        if (!pool) status = E_MEMORY;
    }
    if (status == OK) status = read_pieces(t, &list, pool, error);
    if (status == OK) status = vocab_check_bytes(&t->tokens, error);
    if (status == OK) status = vocab_index(&t->tokens, error);
    t->kind = TOKENIZER_SPM;
    t->last_order = UINT32_MAX; /* no score gives that */
    t->add_space = t->add_bos = 1;
    t->bos = list.count > 1 ? 1 : TOKEN_NONE; /* where the file says nothing, as llama.cpp */
    t->eos = list.count > 2 ? 2 : TOKEN_NONE;
    return status;
}

static int rule(const void *ctx, const uint8_t *text, const struct symbol *left, const struct symbol *right,
                uint32_t *id, uint32_t *order) {
    const struct tokenizer *t = ctx;
    if (t->llama2c && (left->id == TOKEN_NONE || right->id == TOKEN_NONE)) return 0;
    *id = vocab_word(&t->tokens, text + left->at, left->bytes + right->bytes);
    if (*id == TOKEN_NONE) return 0;
    *order = t->tokens.pieces[*id].order;
    return *order < t->last_order;
}

static uint32_t add_symbol(const struct tokenizer *t, const uint8_t *text, uint32_t at, size_t bytes,
                           struct symbol *symbol) {
    *symbol = (struct symbol){.at = at, .bytes = (uint32_t)bytes, .id = vocab_word(&t->tokens, text + at, bytes)};
    return at + symbol->bytes;
}

/* A symbol for each character, and for each byte that belongs to none. */
static uint32_t split(const struct tokenizer *t, const uint8_t *text, uint32_t n, struct symbol *symbols) {
    uint32_t count = 0, code;
    for (uint32_t at = 0; at < n;)
        at = add_symbol(t, text, at, unicode_next(text + at, n - at, &code), &symbols[count++]);
    return count;
}

/* llama2.c's characters: a byte and up to three that continue one; where that is no token, a symbol for each byte,
 * which is never merged. The space that begins a text stands for itself. */
static uint32_t split_llama2c(const struct tokenizer *t, const uint8_t *text, uint32_t n, struct symbol *symbols) {
    uint32_t count = 0, at = add_symbol(t, text, 0, 1, &symbols[count++]);
    while (at < n) {
        uint32_t bytes = 1;
        while (bytes < 4 && at + bytes < n && (text[at + bytes] & 0xC0) == 0x80) bytes++;
        add_symbol(t, text, at, bytes, &symbols[count]);
        if (symbols[count].id != TOKEN_NONE || bytes == 1) count++;
        else for (uint32_t i = 0; i < bytes; i++)
            symbols[count++] = (struct symbol){.at = at + i, .bytes = 1, .id = TOKEN_NONE};
        at += bytes;
    }
    return count;
}

void spm_encode(const struct tokenizer *t, const struct token_scratch *scratch, const uint8_t *text, size_t n,
                struct token_output *out) {
    uint8_t *part = scratch->part;
    uint32_t bytes = 0;
    if (t->add_space) part[bytes++] = ' ';
    if (t->llama2c) for (size_t i = 0; i < n; i++) part[bytes++] = text[i];
    else bytes += (uint32_t)with_spaces(text, n, part + bytes);
    uint32_t count = t->llama2c ? split_llama2c(t, part, bytes, scratch->symbols)
                                : split(t, part, bytes, scratch->symbols);
    merge_symbols(rule, t, part, scratch->symbols, count, scratch->heap);
    for (uint32_t i = 0; i < count; i++) {
        const struct symbol *symbol = &scratch->symbols[i];
        if (symbol->bytes > 0 && symbol->id != TOKEN_NONE) token_put(out, symbol->id);
        else for (uint32_t j = 0; j < symbol->bytes; j++)
            token_put(out, t->tokens.byte_id[part[symbol->at + j]]);
    }
}
