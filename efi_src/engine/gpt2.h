/* The GPT-2 forward pass: learned positions, LayerNorm with bias, full causal attention, GELU
 * (tanh), tied or separate output head. */
#ifndef INGOT_GPT2_H
#define INGOT_GPT2_H

#include "shape.h"
#include "tensor.h"

struct state;

struct gpt2_layer {
    const float *ln1_w, *ln1_b;    /* (width) */
    struct tensor q_w, k_w, v_w;   /* (width,width): the rows of one matrix (3*width,width) */
    const float *q_b, *k_b, *v_b;  /* (width) */
    struct tensor proj_w;          /* (width,width) */
    const float *proj_b;           /* (width) */
    const float *ln2_w, *ln2_b;    /* (width) */
    struct tensor up_w, down_w;    /* (hidden,width), (width,hidden) */
    const float *up_b, *down_b;    /* (hidden), (width) */
};

#define GPT2_MAX_LAYERS 128

struct gpt2 {
    struct tensor token;    /* (vocab,width) */
    struct tensor position; /* (context,width) */
    struct gpt2_layer layer[GPT2_MAX_LAYERS];
    const float *norm_w, *norm_b; /* (width) */
    struct tensor head;           /* (vocab,width); == token when tied */
};

/* Takes the matrix of a layer's queries, keys and values apart. */
void gpt2_split(struct gpt2_layer *layer, const struct tensor *qkv_w, const float *qkv_b);

/* m tokens (1 to state->batch, each < vocab) at positions pos..pos+m-1 (< context) -> state->x (m,width), and
 * their keys and values in the cache. The bits do not depend on how tokens are put into batches. */
void gpt2_forward(const struct gpt2 *model, const struct shape *shape, struct state *state, const uint32_t *tokens,
                  size_t m, uint32_t pos);

/* After it: row `row` (< m) of state->x -> state->logits (vocab) */
void gpt2_logits(const struct gpt2 *model, const struct shape *shape, struct state *state, size_t row);

#endif
