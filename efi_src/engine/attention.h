/* Causal attention with grouped queries over the cache of keys and values. */
#ifndef INGOT_ATTENTION_H
#define INGOT_ATTENTION_H

#include "state.h"

/* Layer `layer` for the batch of m tokens at positions pos..pos+m-1: state->k and v go to the cache, then
 * state->q (m, heads * head_width) looks at all positions up to its own -> state->mixed (same). Position p lies
 * in slot p mod context; a batch of more than one token ends within the first `context` positions. */
void attention(struct state *state, const struct shape *shape, size_t layer, uint32_t pos, size_t m);

#endif
