/* Text to token ids and back: llama2.c's tokenizer.bin, and from GGUF `llama` (SentencePiece BPE with byte fallback)
 * and `gpt2` (byte-level BPE with merges and its pre-tokenizer; without merges: one token a byte). */
#ifndef INGOT_TOKENIZER_H
#define INGOT_TOKENIZER_H

#include "gguf.h"
#include "platform.h"
#include "pretokenizer.h"
#include "status.h"
#include "template.h"
#include "vocab.h"
#include <stddef.h>
#include <stdint.h>

#define TOKEN_NONE UINT32_MAX
#define TOKENIZER_MAX_VOCAB (1u << 20)
#define TOKENIZER_MAX_MERGES (1u << 21)
#define TOKENIZER_LONGEST_OWN 255 /* bytes of a user-defined token */

enum tokenizer_kind { TOKENIZER_BYTES, TOKENIZER_BPE, TOKENIZER_SPM };

/* BPE: two tokens that become one. */
struct token_merge {
    uint32_t left, right; /* ids */
    uint32_t id;          /* what they become */
    uint32_t rank;        /* the smaller goes first; 0: a free slot */
};

struct tokenizer {
    enum tokenizer_kind kind;
    uint32_t vocab;
    uint32_t bos, eos; /* TOKEN_NONE: has none */
    uint32_t eot;      /* ends a turn, as eos ends a text; TOKEN_NONE: has none */
    int add_bos;       /* a text begins with bos, as the file says */
    struct chat_template chat;

    /* the rest belongs to the files that include tokenizer_parts.h */
    int add_space;        /* SPM: a text begins with a space, which decoding leaves out */
    int llama2c;          /* SPM: what is no token by itself is not merged either */
    uint32_t last_order;  /* SPM: pairs of this order or after it are not merged */
    int whole_words;      /* BPE: a word that is a token is not built by merges */
    enum pretokenizer pretokenizer;
    struct vocab tokens;
    struct token_merge *merges; /* BPE: open addressing by (left, right) */
    uint32_t merge_mask;
    uint8_t own_length[TOKENIZER_LONGEST_OWN + 1]; /* 1: user-defined tokens have this length */
    uint8_t own_first[256];                        /* 1: they begin with this byte */
    struct memory memory;
};

/* From tokenizer.ggml.*. E_UNSUPPORTED for other kinds, E_FORMAT for a broken one, E_MEMORY. Tables come from
 * platform->alloc; tokenizer_close gives them back (where the platform can). */
enum status tokenizer_load(struct tokenizer *t, const struct gguf *file, const struct platform *platform,
                           struct error *error);
/* llama2.c's tokenizer.bin of `vocab` tokens; its pieces are used where they lie. E_FORMAT when it has more. */
enum status tokenizer_load_llama2c(struct tokenizer *t, const void *bytes, size_t size, uint32_t vocab,
                                   const struct platform *platform, struct error *error);
void tokenizer_close(struct tokenizer *t, const struct platform *platform);

/* Bytes of working memory that tokenizer_encode needs for n bytes of text; SIZE_MAX when that does not fit. */
size_t tokenizer_scratch(const struct tokenizer *t, size_t n);

/* The tokens of n bytes of text -> ids, their number -> *count; no bos. Special (control) tokens never come from text;
 * user-defined ones are found first, the longest before the others. `scratch` is 8-byte aligned. Time is n log n.
 * Control bytes that no text has (utf8_is_control) are left out, so that a prompt means the same typed or given in a
 * file. There are at most n + 1 tokens (SPM: n + 1 for each user-defined one); E_RANGE when there are more than `most`. */
enum status tokenizer_encode(const struct tokenizer *t, const char *text, size_t n, void *scratch, uint32_t *ids,
                             size_t most, size_t *count, struct error *error);

/* The bytes of token id (< vocab) after token `before` (TOKEN_NONE at the start) -> out; returns their number. SPM: byte
 * tokens `<0x0A>` are that byte, U+2581 is a space, and the space that begins the text (after bos, or at the start) is
 * left out, as llama2.c does. Control tokens have no bytes. */
size_t tokenizer_decode(const struct tokenizer *t, uint32_t before, uint32_t id, const uint8_t **out);

/* The id of a special token (control, unknown, user-defined) by its exact text, for chat templates; TOKEN_NONE when
 * there is none. llama2.c: <unk>, <s> and </s>. */
uint32_t tokenizer_special(const struct tokenizer *t, const char *text);

#endif
