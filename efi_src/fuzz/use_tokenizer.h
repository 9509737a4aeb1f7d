/* A tokenizer that loads encodes a text and decodes it. */
#ifndef INGOT_FUZZ_USE_TOKENIZER_H
#define INGOT_FUZZ_USE_TOKENIZER_H

#include "../engine/tokenizer.h"

/* Closes the tokenizer too. */
void fuzz_tokenizer(struct tokenizer *t, const uint8_t *text, size_t n);

#endif
