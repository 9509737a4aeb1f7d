/* What all tokenizers share: loading by kind, user-defined tokens, decoding. */
#include "tokenizer.h"
#include "text.h"
#include "tokenizer_parts.h"
#include "utf8.h"

static const struct tokenizer no_tokenizer = {
    .bos = TOKEN_NONE, .eos = TOKEN_NONE, .eot = TOKEN_NONE, .chat = {.end = TOKEN_NONE}};

#define COVERED (TOKEN_NONE - 1) /* of a text's bytes: belongs to the user-defined token before it */

/* bos or eos: optional, but in the vocabulary when given */
static enum status read_special(const struct tokenizer *t, const struct gguf *file, const char *key,
                                uint32_t *id, struct error *error) {
    struct gguf_value value;
    if (!gguf_find(file, key, &value)) return OK;
    enum status status = gguf_u32(file, key, id, error);
    if (status == OK && *id >= t->vocab)
        status = fail(error, E_RANGE, "a token beyond the vocabulary", key, text_length(key));
    return status;
}

/* yes or no; stays as it is where the file says nothing */
static enum status read_flag(const struct gguf *file, const char *key, int *flag, struct error *error) {
    struct gguf_value value;
    if (!gguf_find(file, key, &value)) return OK;
    if (value.type != GGUF_BOOL) return fail(error, E_FORMAT, "a key of the wrong type", key, text_length(key));
    *flag = file->bytes[value.at] != 0;
    return OK;
}

/* What a text is searched for before it is encoded. */
static enum status note_own(struct tokenizer *t, struct error *error) {
    for (uint32_t id = 0; id < t->vocab; id++) {
        const struct piece *piece = &t->tokens.pieces[id];
        if (piece->type != PIECE_OWN || piece->length == 0) continue;
        if (piece->length > TOKENIZER_LONGEST_OWN)
            return fail(error, E_UNSUPPORTED, "a user-defined token of more than 255 bytes",
                        (const char *)piece->text, piece->length);
        t->own_length[piece->length] = 1;
        t->own_first[piece->text[0]] = 1;
    }
    return OK;
}

enum status tokenizer_load(struct tokenizer *t, const struct gguf *file, const struct platform *platform,
                           struct error *error) {
    struct gguf_string kind;
    *t = no_tokenizer;
    enum status status = gguf_text(file, "tokenizer.ggml.model", &kind, error);
    if (status != OK) return status;
    if (text_equal(kind.text, kind.length, "llama")) status = spm_load(t, file, platform, error);
    else if (text_equal(kind.text, kind.length, "gpt2")) status = bpe_load(t, file, platform, error);
    else status = fail(error, E_UNSUPPORTED, "a tokenizer that is not llama or gpt2", kind.text, kind.length);
    t->vocab = t->tokens.count;
    if (status == OK) status = read_special(t, file, "tokenizer.ggml.bos_token_id", &t->bos, error);
    if (status == OK) status = read_special(t, file, "tokenizer.ggml.eos_token_id", &t->eos, error);
    if (status == OK) status = read_special(t, file, "tokenizer.ggml.eot_token_id", &t->eot, error);
    if (status == OK) status = read_flag(file, "tokenizer.ggml.add_bos_token", &t->add_bos, error);
    if (status == OK && t->kind == TOKENIZER_SPM)
        status = read_flag(file, "tokenizer.ggml.add_space_prefix", &t->add_space, error);
    if (t->bos == TOKEN_NONE) t->add_bos = 0;
    if (status == OK) template_open(&t->chat, t, file);
    if (status == OK) status = note_own(t, error); /* without the template's marks */
    if (status != OK) tokenizer_close(t, platform);
    return status;
}

void tokenizer_close(struct tokenizer *t, const struct platform *platform) {
    memory_release(&t->memory, platform);
    *t = no_tokenizer;
}

enum { PAIRS = 2, BYTES_EACH = PAIRS * sizeof(struct merge_pair) + sizeof(struct symbol) + sizeof(uint32_t) + 2 };

size_t tokenizer_scratch(const struct tokenizer *t, size_t n) {
    (void)t;
    if (n > UINT32_MAX / BYTES_EACH) return SIZE_MAX; /* indices have 32 bits */
    return (n + 1) * BYTES_EACH;
}

static struct token_scratch lay_out(void *memory, size_t n) {
    struct token_scratch s;
    s.heap = memory;
    s.symbols = (struct symbol *)(s.heap + PAIRS * (n + 1));
    s.own = (uint32_t *)(s.symbols + n + 1);
    s.clean = (uint8_t *)(s.own + n + 1);
    s.part = s.clean + n + 1;
    return s;
}

void token_put(struct token_output *out, uint32_t id) {
    if (out->count == out->most) out->full = 1;
    else out->ids[out->count++] = id;
}

/* Puts the user-defined tokens of one length where they start in the text, unless something longer is there. */
static void mark_own(const struct tokenizer *t, const struct token_scratch *s, size_t n, size_t length) {
    for (size_t at = 0, free = 0; at < n; at++) {
        free = s->own[at] == TOKEN_NONE ? free + 1 : 0; /* bytes up to this one that belong to none */
        if (free < length) continue;
        size_t start = at + 1 - length;
        if (!t->own_first[s->clean[start]]) continue;
        uint32_t id = vocab_special(&t->tokens, s->clean + start, length);
        if (id == TOKEN_NONE || t->tokens.pieces[id].type != PIECE_OWN) continue;
        for (size_t i = start; i <= at; i++) s->own[i] = COVERED;
        s->own[start] = id;
        free = 0;
    }
}

enum status tokenizer_encode(const struct tokenizer *t, const char *text, size_t n, void *scratch,
                             uint32_t *ids, size_t most, size_t *count, struct error *error) {
    struct token_output out = {.ids = ids, .most = most};
    *count = 0;
    if (tokenizer_scratch(t, n) == SIZE_MAX) return fail(error, E_RANGE, "the prompt is too long", NULL, 0);
    struct token_scratch s = lay_out(scratch, n);
    size_t used = 0;
    for (size_t i = 0; i < n; i++)
        if (!utf8_is_control((uint8_t)text[i])) s.clean[used++] = (uint8_t)text[i];
    for (size_t i = 0; i < used; i++) s.own[i] = TOKEN_NONE;
    for (size_t length = TOKENIZER_LONGEST_OWN; length > 0; length--)
        if (t->own_length[length]) mark_own(t, &s, used, length);
    for (size_t at = 0; at < used && !out.full;) {
        size_t end = at;
        if (s.own[at] != TOKEN_NONE) {
            token_put(&out, s.own[at]);
            for (end++; end < used && s.own[end] == COVERED;) end++;
        } else {
            while (end < used && s.own[end] == TOKEN_NONE) end++;
            if (t->kind == TOKENIZER_SPM) spm_encode(t, &s, s.clean + at, end - at, &out);
            else bpe_encode(t, &s, s.clean + at, end - at, &out);
        }
        at = end;
    }
    *count = out.count;
    return out.full ? fail(error, E_RANGE, "the prompt is too long", NULL, 0) : OK;
}

size_t tokenizer_decode(const struct tokenizer *t, uint32_t before, uint32_t id, const uint8_t **out) {
    const struct piece *piece = &t->tokens.pieces[id];
    *out = piece->text;
    if (piece->type == PIECE_CONTROL || piece->type == PIECE_UNKNOWN) return 0;
    int starts = before == TOKEN_NONE || before == t->bos;
    if (!t->add_space || !starts || piece->type == PIECE_BYTE || piece->length == 0 || *piece->text != ' ')
        return piece->length;
    ++*out;
    return piece->length - 1;
}

uint32_t tokenizer_special(const struct tokenizer *t, const char *text) {
    return vocab_special(&t->tokens, (const uint8_t *)text, text_length(text));
}
