/* Byte-level vocabulary in GPT-2's alphabet. */
#include "tokenizer.h"
#include "text.h"
#include "utf8.h"

/* GPT-2's bytes_to_unicode: printable bytes stand for themselves, the other 68 for U+0100 and up, in
 * order. */
static uint32_t alphabet(uint32_t byte) {
    if ((byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE) return byte;
    if (byte <= 0x20) return 0x100 + byte;
    if (byte <= 0xA0) return 0x100 + 0x21 + (byte - 0x7F);
    return 0x100 + 0x21 + 0x22; /* 0xAD */
}

/* The byte that a piece stands for, or -1 when it is not one character of the alphabet. */
static int byte_of_piece(const struct gguf_string *piece) {
    const uint8_t *s = (const uint8_t *)piece->text;
    uint32_t code;
    if (piece->length == 1 && s[0] < 0x80) code = s[0];
    else if (piece->length == 2 && (s[0] & 0xE0) == 0xC0 && (s[1] & 0xC0) == 0x80)
        code = (uint32_t)(s[0] & 0x1F) << 6 | (s[1] & 0x3F);
    else return -1;
    for (uint32_t byte = 0; byte < 256; byte++)
        if (alphabet(byte) == code) return (int)byte;
    return -1;
}

static enum status read_pieces(struct tokenizer *t, const struct gguf *file, struct error *error) {
    static const char key[] = "tokenizer.ggml.tokens";
    struct gguf_value tokens;
    struct gguf_string piece;
    if (!gguf_find(file, key, &tokens) || tokens.type != GGUF_ARRAY || tokens.item != GGUF_STRING)
        return fail(error, E_FORMAT, "a missing key, or no list of strings", key, sizeof key - 1);
    if (tokens.count != 256)
        return fail(error, E_UNSUPPORTED, "a vocabulary that is not 256 tokens, one for each byte", NULL, 0);
    t->vocab = (uint32_t)tokens.count;
    for (uint32_t byte = 0; byte < 256; byte++) t->id_of[byte] = TOKEN_NONE;
    for (uint32_t id = 0; gguf_next_string(file, &tokens, &piece); id++) {
        int byte = byte_of_piece(&piece);
        if (byte < 0)
            return fail(error, E_UNSUPPORTED, "a token that is not one byte", piece.text, piece.length);
        if (t->id_of[byte] != TOKEN_NONE)
            return fail(error, E_FORMAT, "a token that is there twice", piece.text, piece.length);
        t->id_of[byte] = id;
        t->byte_of[id] = (uint8_t)byte;
    }
    return OK;
}

/* bos or eos: optional, but in the vocabulary when given */
static enum status read_special(const struct tokenizer *t, const struct gguf *file, const char *key,
                                uint32_t *id, struct error *error) {
    struct gguf_value value;
    *id = TOKEN_NONE;
    if (!gguf_find(file, key, &value)) return OK;
    enum status status = gguf_u32(file, key, id, error);
    if (status == OK && *id >= t->vocab)
        status = fail(error, E_RANGE, "a token beyond the vocabulary", key, text_length(key));
    return status;
}

enum status tokenizer_load(struct tokenizer *t, const struct gguf *file, struct error *error) {
    static const char merges_key[] = "tokenizer.ggml.merges";
    struct gguf_string kind;
    struct gguf_value merges;
    enum status status = gguf_text(file, "tokenizer.ggml.model", &kind, error);
    if (status != OK) return status;
    if (!text_equal(kind.text, kind.length, "gpt2"))
        return fail(error, E_UNSUPPORTED, "a tokenizer that is not gpt2", kind.text, kind.length);
    if (gguf_find(file, merges_key, &merges)) {
        if (merges.type != GGUF_ARRAY)
            return fail(error, E_FORMAT, "a key of the wrong type", merges_key, sizeof merges_key - 1);
        if (merges.count != 0)
            return fail(error, E_UNSUPPORTED, "a tokenizer with merges; this engine runs bytes", NULL, 0);
    }
    status = read_pieces(t, file, error);
    if (status == OK) status = read_special(t, file, "tokenizer.ggml.bos_token_id", &t->bos, error);
    if (status == OK) status = read_special(t, file, "tokenizer.ggml.eos_token_id", &t->eos, error);
    return status;
}

enum status tokenizer_encode(const struct tokenizer *t, const char *text, size_t n, uint32_t *ids,
                             size_t most, size_t *count, struct error *error) {
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (utf8_is_control(byte)) continue;
        if (*count == most) return fail(error, E_RANGE, "the prompt is too long", NULL, 0);
        ids[(*count)++] = t->id_of[byte];
    }
    return OK;
}

size_t tokenizer_decode(const struct tokenizer *t, uint32_t id, const uint8_t **out) {
    *out = &t->byte_of[id];
    return 1;
}
