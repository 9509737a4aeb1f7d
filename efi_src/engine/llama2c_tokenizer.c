/* llama2.c's tokenizer.bin: i32 length of the longest token; for each token: f32 score, i32 length, its bytes. Ids 0 to
 * 2 are <unk>, <s> and </s>, 3 to 258 the bytes `<0xHH>`; spaces are spaces. */
#include "text.h"
#include "tokenizer_parts.h"

enum { SPECIALS = 3, FIRST_WORD = SPECIALS + 256 };

struct reader {
    const uint8_t *bytes;
    size_t size, at; /* at <= size */
};

static int read_u32(struct reader *r, uint32_t *out) {
    if (r->size - r->at < 4) return 0;
    const uint8_t *b = r->bytes + r->at;
    *out = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    r->at += 4;
    return 1;
}

static enum status fail_token(struct error *error, enum status code, const char *what, uint32_t id) {
    struct text t = error_text(error, code);
    text_add(&t, what);
    text_add_u64(&t, id);
    return code;
}

static enum status read_piece(struct reader *r, uint32_t id, uint32_t longest, struct piece *piece,
                              struct error *error) {
    union { uint32_t bits; float number; } score;
    uint32_t length;
    if (!read_u32(r, &score.bits) || !read_u32(r, &length))
        return fail_token(error, E_TRUNCATED, "tokenizer.bin ends before its token ", id);
    if (length < 1 || length > longest)
        return fail_token(error, E_FORMAT, "tokenizer.bin: empty, or longer than its longest token, is token ", id);
    if (length > r->size - r->at)
        return fail_token(error, E_TRUNCATED, "tokenizer.bin ends inside its token ", id);
    if (score.number - score.number != 0) /* NaN for infinities too */
        return fail_token(error, E_FORMAT, "tokenizer.bin: no finite number is the score of token ", id);
    *piece = (struct piece){.text = r->bytes + r->at, .length = length, .order = spm_order(score.number),
                            .type = PIECE_NORMAL};
    r->at += length;
    return OK;
}

static enum status read_pieces(struct tokenizer *t, struct reader *r, uint8_t *bytes, struct error *error) {
    static const char names[SPECIALS][8] = {"<unk>", "<s>", "</s>"}; /* the file has line ends around two */
    uint32_t longest;
    if (!read_u32(r, &longest)) return fail(error, E_TRUNCATED, "tokenizer.bin ends inside its header", NULL, 0);
    if (longest < 1 || longest > VOCAB_LONGEST)
        return fail(error, E_FORMAT, "tokenizer.bin: its longest token has not 1 to 4096 bytes", NULL, 0);
    for (uint32_t id = 0; id < t->vocab; id++) {
        struct piece *piece = &t->tokens.pieces[id];
        enum status status = read_piece(r, id, longest, piece, error);
        if (status != OK) return status;
        if (id < SPECIALS) {
            piece->text = (const uint8_t *)names[id];
            piece->length = (uint32_t)text_length(names[id]);
            piece->type = id == 0 ? PIECE_UNKNOWN : PIECE_CONTROL;
        } else if (id < FIRST_WORD) {
            uint32_t byte = id - SPECIALS;
            if (spm_byte(piece->text, piece->length) != (int)byte)
                return fail_token(error, E_FORMAT, "tokenizer.bin: not the byte <0xHH> it stands for is token ", id);
            bytes[byte] = (uint8_t)byte;
            *piece = (struct piece){.text = &bytes[byte], .length = 1, .type = PIECE_BYTE};
            t->tokens.byte_id[byte] = id;
        }
    }
    if (r->at < r->size)
        return fail_token(error, E_FORMAT, "tokenizer.bin has more tokens than the model: ", t->vocab);
    return OK;
}

enum status tokenizer_load_llama2c(struct tokenizer *t, const void *bytes, size_t size, uint32_t vocab,
                                   const struct platform *platform, struct error *error) {
    struct reader r = {.bytes = bytes, .size = size, .at = 0};
    uint8_t *byte_texts = NULL;
    *t = (struct tokenizer){.kind = TOKENIZER_SPM, .vocab = vocab, .bos = 1, .eos = 2, .eot = TOKEN_NONE,
                            .add_bos = 1, .chat = {.end = TOKEN_NONE}, .add_space = 1, .llama2c = 1,
                            .last_order = spm_order(-1e10f)};
    if (vocab < FIRST_WORD)
        return fail(error, E_FORMAT, "a vocabulary without room for tokenizer.bin's bytes", NULL, 0);
    if (vocab > TOKENIZER_MAX_VOCAB)
        return fail(error, E_UNSUPPORTED, "a vocabulary of more than 1048576 tokens", NULL, 0);
    enum status status = vocab_open(&t->tokens, vocab, &t->memory, platform, error);
    if (status == OK) {
        byte_texts = memory_take(&t->memory, platform, 256, 1, "the tokenizer", error);
        if (!byte_texts) status = E_MEMORY;
    }
    if (status == OK) status = read_pieces(t, &r, byte_texts, error);
    if (status == OK) status = vocab_index(&t->tokens, error);
    if (status != OK) tokenizer_close(t, platform);
    return status;
}
