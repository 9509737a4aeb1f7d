/* llama2.c's sampler: the same random numbers, the same order of operations, so that the same seed
 * picks the same tokens; and top-k, which llama2.c does not have. */
#ifndef INGOT_SAMPLER_H
#define INGOT_SAMPLER_H

#include "../kernels/kernels.h"
#include <stddef.h>
#include <stdint.h>

struct candidate {
    float p;
    uint32_t id;
};

struct sampler {
    float temp;     /* 0: the first most probable token, no random number is drawn */
    float top_p;    /* keep the most probable that together pass it; <= 0 or >= 1: off */
    uint64_t top_k; /* keep that many, before top_p (which then counts within them); 0: off */
    uint64_t rng;   /* not 0 */
    uint32_t vocab;
    float *probs;                 /* (vocab) */
    struct candidate *candidates; /* (vocab) */
};

/* The id of the next token. logits (vocab, finite) are left as they are. */
uint32_t sampler_pick(struct sampler *sampler, const struct kernels *k, const float *logits);

/* xorshift*: the next 32 random bits, and a float in [0, 1) */
uint32_t sampler_u32(uint64_t *rng);
float sampler_f32(uint64_t *rng);

#endif
