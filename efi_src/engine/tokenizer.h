/* Text to token ids and back. The vocabularies of today: gpt2, byte-level, one token a byte (GPT-2's
 * alphabet, in which each byte is one printable character; no merges). */
#ifndef INGOT_TOKENIZER_H
#define INGOT_TOKENIZER_H

#include "gguf.h"
#include "status.h"
#include <stddef.h>
#include <stdint.h>

#define TOKEN_NONE UINT32_MAX

struct tokenizer {
    uint32_t vocab;
    uint32_t id_of[256];   /* byte -> id */
    uint8_t byte_of[256];  /* id -> byte */
    uint32_t bos, eos;     /* TOKEN_NONE: has none */
};

/* Reads tokenizer.ggml.*; E_UNSUPPORTED for other kinds of tokenizer, E_FORMAT for a broken one. */
enum status tokenizer_load(struct tokenizer *tokenizer, const struct gguf *file, struct error *error);

/* The tokens of n bytes of text -> ids, their number -> *count (n at most). Control bytes that no
 * text has (utf8_is_control) are left out, so that a prompt means the same typed or given in a
 * file. E_RANGE when there are more than `most`. */
enum status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t n, uint32_t *ids,
                             size_t most, size_t *count, struct error *error);

/* The bytes of a token (id < vocab) -> out; returns their number. */
size_t tokenizer_decode(const struct tokenizer *tokenizer, uint32_t id, const uint8_t **out);

#endif
