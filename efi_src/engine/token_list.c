/* The lists of tokenizer.ggml.* that hold one item a token. */
#include "text.h"
#include "tokenizer_parts.h"

static const char tokens_key[] = "tokenizer.ggml.tokens", types_key[] = "tokenizer.ggml.token_type",
                  scores_key[] = "tokenizer.ggml.scores";

static uint32_t load32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static float load_float(const uint8_t *at) {
    union { uint32_t bits; float number; } value = {.bits = load32(at)};
    return value.number;
}

/* A list with one item of 4 bytes for each token. */
static enum status check(const struct token_list *list, const struct gguf_value *value, const char *key,
                         int right_type, struct error *error) {
    if (value->type != GGUF_ARRAY || !right_type)
        return fail(error, E_FORMAT, "a key of the wrong type", key, text_length(key));
    if (value->count != list->count)
        return fail(error, E_FORMAT, "not as many items as there are tokens", key, text_length(key));
    return OK;
}

enum status token_list_open(struct token_list *list, const struct gguf *file, int want_scores,
                            struct error *error) {
    enum status status = OK;
    *list = (struct token_list){.file = file};
    if (!gguf_find(file, tokens_key, &list->tokens) || list->tokens.type != GGUF_ARRAY ||
        list->tokens.item != GGUF_STRING)
        return fail(error, E_FORMAT, "a missing key, or no list of strings", tokens_key, sizeof tokens_key - 1);
    if (list->tokens.count < 1)
        return fail(error, E_FORMAT, "an empty list", tokens_key, sizeof tokens_key - 1);
    if (list->tokens.count > TOKENIZER_MAX_VOCAB)
        return fail(error, E_UNSUPPORTED, "a vocabulary of more than 1048576 tokens", NULL, 0);
    list->count = (uint32_t)list->tokens.count;
    list->has_types = gguf_find(file, types_key, &list->types);
    if (list->has_types)
        status = check(list, &list->types, types_key,
                       list->types.item == GGUF_I32 || list->types.item == GGUF_U32, error);
    if (status == OK && want_scores) {
        if (!gguf_find(file, scores_key, &list->scores))
            return fail(error, E_FORMAT, "a key is missing", scores_key, sizeof scores_key - 1);
        status = check(list, &list->scores, scores_key, list->scores.item == GGUF_F32, error);
    }
    struct gguf_value rest = list->tokens;
    struct gguf_string text;
    while (gguf_next_string(file, &rest, &text)) list->bytes += text.length; /* within the file: no overflow */
    return status;
}

enum status token_list_next(struct token_list *list, struct token *token, struct error *error) {
    const uint8_t *bytes = list->file->bytes;
    size_t at = 4 * (size_t)list->id++;
    *token = (struct token){.type = PIECE_UNDEFINED, .score = 0};
    if (!gguf_next_string(list->file, &list->tokens, &token->text))
        return fail(error, E_FORMAT, "fewer tokens than the list says", tokens_key, sizeof tokens_key - 1);
    const struct gguf_string *text = &token->text;
    if (text->length > VOCAB_LONGEST)
        return fail(error, E_UNSUPPORTED, "a token of more than 4096 bytes", text->text, text->length);
    if (list->has_types) {
        uint32_t type = load32(bytes + list->types.at + at);
        if (type >= PIECE_TYPES)
            return fail(error, E_FORMAT, "a token of a type that does not exist", text->text, text->length);
        token->type = (enum piece_type)type;
    }
    if (list->scores.count > 0) token->score = load_float(bytes + list->scores.at + at);
    if (token->score - token->score != 0) /* NaN for infinities too */
        return fail(error, E_FORMAT, "a token whose score is no finite number", text->text, text->length);
    return OK;
}
