/* The sampler of host and EFI: repetition penalty, no-repeat-ngram, temperature, softmax, top_k, top_p,
 * min_p, and an escape from loops. With repeat, norepeat, loop, top_k and min_p off it is llama2.c's:
 * the same random numbers, the same order of operations, so that the same seed picks the same tokens. */
#ifndef INGOT_SAMPLER_H
#define INGOT_SAMPLER_H

#include "../kernels/kernels.h"
#include "penalties.h"
#include <stddef.h>
#include <stdint.h>

#define SAMPLER_REPEAT_LAST 64 /* llama.cpp's default */

struct candidate {
    float p;
    uint32_t id;
};

struct sampler {
    float temp;           /* 0: the first most probable token, no random number is drawn */
    float top_p;          /* keep the most probable that together pass it; <= 0 or >= 1: off */
    float min_p;          /* keep those at least min_p times as probable as the most probable; <= 0: off */
    float repeat;         /* penalty of the tokens in the last `repeat_last`; 1 or <= 0: off */
    uint32_t repeat_last;
    uint32_t norepeat;    /* no run of that many tokens comes twice; 0: off */
    uint32_t loop;        /* a run that came so many times in a row is not begun again; below 2: off */
    uint64_t top_k;       /* keep that many, before top_p (which then counts within them); 0: off */
    uint64_t rng;         /* not 0 */
    uint32_t vocab;
    float *probs;                 /* (vocab): the working copy */
    struct candidate *candidates; /* (vocab) */
};

/* The id of the token that follows the history. logits (vocab, finite) are
 * left as they are. One random number a choice; a second when the first choice goes on with a loop: then
 * all that would go on with one are banned and the choice is made once more, from the logits. What bans
 * everything bans nothing. */
uint32_t sampler_pick(struct sampler *sampler, const struct kernels *k, const float *logits, struct history h);

/* xorshift*: the next 32 random bits, and a float in [0, 1) */
uint32_t sampler_u32(uint64_t *rng);
float sampler_f32(uint64_t *rng);

#endif
