/* Where a byte-level BPE's words begin and end: the regular expressions that its vocabulary was made with. */
#ifndef INGOT_PRETOKENIZER_H
#define INGOT_PRETOKENIZER_H

#include <stddef.h>
#include <stdint.h>

/*
 * GPT2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 * SMOLLM  the same between numbers, \p{N}, each a word of its own
 * LLAMA3  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|
 *         \s+(?!\S)|\s+
 * QWEN2   as LLAMA3, with \p{N} for \p{N}{1,3}
 */
enum pretokenizer { PRETOKENIZER_GPT2, PRETOKENIZER_SMOLLM, PRETOKENIZER_LLAMA3, PRETOKENIZER_QWEN2 };

/* By the value of tokenizer.ggml.pre; 0 when this engine has it not. */
int pretokenizer_find(const char *name, size_t n, enum pretokenizer *out);

/* A text is cut into parts, and each part into words that reach not beyond it. Bytes that are no UTF-8 are neither
 * letters, numbers nor space. Both return bytes, 1 to n (n >= 1): of the part that the text starts with, and of the
 * word that a part, or what is left of one, starts with. */
size_t pretokenizer_part(enum pretokenizer which, const uint8_t *text, size_t n);
size_t pretokenizer_word(enum pretokenizer which, const uint8_t *text, size_t n);

#endif
