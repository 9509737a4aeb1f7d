/* The GPT-2 forward pass: learned positions, LayerNorm with bias, full causal attention, GELU
 * (tanh), tied or separate output head. */
#ifndef INGOT_GPT2_H
#define INGOT_GPT2_H

#include "../kernels/kernels.h"
#include <stddef.h>
#include <stdint.h>

struct gpt2_config {
    uint32_t vocab, context, layers, heads, width, hidden; /* hidden: 4 * width as a rule */
    float eps;                                             /* of every LayerNorm: 1e-5 */
};

struct gpt2_layer {
    const float *ln1_w, *ln1_b;   /* (width) */
    const float *qkv_w, *qkv_b;   /* (3*width,width), (3*width): q, then k, then v */
    const float *proj_w, *proj_b; /* (width,width), (width) */
    const float *ln2_w, *ln2_b;   /* (width) */
    const float *up_w, *up_b;     /* (hidden,width), (hidden) */
    const float *down_w, *down_b; /* (width,hidden), (width) */
};

#define GPT2_MAX_LAYERS 128

struct gpt2 {
    struct gpt2_config config;
    const float *token;    /* (vocab,width) */
    const float *position; /* (context,width) */
    struct gpt2_layer layer[GPT2_MAX_LAYERS];
    const float *norm_w, *norm_b; /* (width) */
    const float *head;            /* (vocab,width); == token when tied */
};

/* Working memory of one sequence; carved from the arenas. */
struct gpt2_state {
    float *keys, *values;                       /* KV: (layers, heads, context, width/heads) */
    float *x, *norm, *qkv, *att, *mixed, *wide; /* (width), (width), (3*width), (context), (width), (hidden) */
    float *logits;                              /* (vocab) */
};

/* Bytes that gpt2_state_init carves for this config, 64-byte aligned parts; 0 when it overflows. */
size_t gpt2_kv_bytes(const struct gpt2_config *config);
size_t gpt2_act_bytes(const struct gpt2_config *config);
void gpt2_state_init(struct gpt2_state *state, const struct gpt2_config *config, void *kv, void *acts);

/* One token at position `pos` (< context): appends its keys and values, leaves state->logits
 * (vocab) when `want_logits` is not 0. */
void gpt2_forward(const struct gpt2 *model, struct gpt2_state *state, const struct kernels *k,
                  uint32_t token, uint32_t pos, int want_logits);

#endif
