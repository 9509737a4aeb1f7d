/* What the tokens so far say about the next one, worked into a copy of the logits. Tokens of the window
 * that the vocabulary does not have are passed over. */
#ifndef INGOT_PENALTIES_H
#define INGOT_PENALTIES_H

#include <stdint.h>

#define PENALTY_BANNED (-__builtin_inff())
#define PENALTY_PERIOD_MAX 256 /* the longest repeated suffix that is looked for */

/* The tokens so far, as a ring: the one at position i is window[i % size], of the last `size` positions. */
struct history {
    const uint32_t *window; /* (size) */
    uint32_t size, used;    /* used: positions so far */
};

/* llama.cpp's rule, once for each token among the last `last`: x = logit / penalty where the logit is
 * above 0, else logit * penalty. x and logits (vocab) do not overlap. */
void penalty_repeat(float *x, const float *logits, uint32_t vocab, struct history h, uint32_t last, float penalty);

/* Bans in x (vocab) every token that would complete a run of n tokens that the window has already. */
void penalty_ngram(float *x, uint32_t vocab, struct history h, uint32_t n);

/* Whether the window ends in some run of at most PENALTY_PERIOD_MAX tokens `times` (>= 2) times in a row,
 * and `token` would begin it once more. */
int penalty_in_loop(struct history h, uint32_t times, uint32_t token);

/* Bans in x (vocab) every token of which penalty_in_loop says so. */
void penalty_loop(float *x, uint32_t vocab, struct history h, uint32_t times);

#endif
