/* The Llama forward pass: RMSNorm, rotary positions, grouped-query attention, SwiGLU, tied or separate
 * output head. */
#ifndef INGOT_LLAMA_H
#define INGOT_LLAMA_H

#include "shape.h"
#include "tensor.h"

struct state;

struct llama_layer {
    const float *norm1;           /* (width) */
    struct tensor q, k, v;        /* (heads*head_width,width), (kv_heads*head_width,width) twice */
    struct tensor proj;           /* (width,heads*head_width) */
    const float *norm2;           /* (width) */
    struct tensor gate, up, down; /* (hidden,width) twice, (width,hidden) */
};

struct llama {
    struct tensor token; /* (vocab,width) */
    struct llama_layer layer[SHAPE_MAX_LAYERS];
    const float *norm;         /* (width) */
    struct tensor head;        /* (vocab,width); == token when tied */
    const float *rope_factors; /* (head_width/2): each divides a frequency; NULL: none */
};

/* Computes the frequencies of the rotary positions: once, before the first forward pass. */
void llama_start(const struct llama *model, const struct shape *shape, struct state *state);

/* m tokens (1 to state->batch, each < vocab) at positions pos..pos+m-1 (< ROPE_MAX_POSITION) -> state->x
 * (m,width), and their keys and values in the cache. Beyond the context the oldest position is overwritten: there
 * m is 1. The bits do not depend on how tokens are put into batches. */
void llama_forward(const struct llama *model, const struct shape *shape, struct state *state,
                   const uint32_t *tokens, size_t m, uint32_t pos);

/* After it: row `row` (< m) of state->x -> state->logits (vocab) */
void llama_logits(const struct llama *model, const struct shape *shape, struct state *state, size_t row);

#endif
