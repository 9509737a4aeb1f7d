/* What the files of the tokenizer share: tokenizer.c, spm.c, bpe.c, llama2c_tokenizer.c, token_list.c. */
#ifndef INGOT_TOKENIZER_PARTS_H
#define INGOT_TOKENIZER_PARTS_H

#include "merge.h"
#include "tokenizer.h"

/* tokenizer.ggml.tokens and what goes with it. */
struct token_list {
    const struct gguf *file;
    struct gguf_value tokens; /* its next item is token `id` */
    struct gguf_value types, scores;
    int has_types;
    uint32_t count;
    uint32_t id;
    uint64_t bytes; /* of all tokens' texts */
};

struct token {
    struct gguf_string text;
    enum piece_type type; /* PIECE_UNDEFINED when the file has no types */
    float score;          /* a finite number; 0 when none were asked for */
};

/* E_FORMAT, E_UNSUPPORTED for lists of the wrong type or length. */
enum status token_list_open(struct token_list *list, const struct gguf *file, int want_scores, struct error *error);
/* The next token; E_FORMAT for a type or a score that cannot be. To be called `count` times. */
enum status token_list_next(struct token_list *list, struct token *token, struct error *error);

enum status spm_load(struct tokenizer *t, const struct gguf *file, const struct platform *platform,
                     struct error *error);
enum status bpe_load(struct tokenizer *t, const struct gguf *file, const struct platform *platform,
                     struct error *error);

/* The byte that a piece `<0xHH>` stands for, or -1. */
int spm_byte(const uint8_t *text, size_t n);
/* Scores as whole numbers: the higher the score, the smaller the number. */
uint32_t spm_order(float score);

/* Token ids as they are found. */
struct token_output {
    uint32_t *ids;
    size_t most, count;
    int full; /* there were more */
};

void token_put(struct token_output *out, uint32_t id);

/* Working memory for a text of n bytes. */
struct token_scratch {
    struct merge_pair *heap; /* (2 * (n + 1)) */
    struct symbol *symbols;  /* (n + 1) */
    uint32_t *own;           /* (n) */
    uint8_t *clean;          /* (n): the text without controls */
    uint8_t *part;           /* (n + 1): SPM: what is encoded at once */
};

/* The tokens of a part of scratch->clean without user-defined ones; n >= 1. */
void spm_encode(const struct tokenizer *t, const struct token_scratch *scratch, const uint8_t *text, size_t n,
                struct token_output *out);
void bpe_encode(const struct tokenizer *t, const struct token_scratch *scratch, const uint8_t *text, size_t n,
                struct token_output *out);

#endif
