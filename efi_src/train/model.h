/* Forward and backward pass of GPT-2 over a few sequences at once. All arithmetic goes through the
 * table of kernels, so results do not depend on the instruction set; nothing here depends on threads. */
#ifndef INGOT_TRAIN_MODEL_H
#define INGOT_TRAIN_MODEL_H

#include "params.h"

#include "../kernels/kernels.h"

#define ATTENTION_BLOCK 16 /* rows of the score matrix at a time: half of it is never computed */

/* What all passes read. */
struct model {
    const struct params *params;
    const struct kernels *k;
    struct view w;  /* weights */
    struct view wt; /* the same layout, every matrix transposed: see model_transpose */
};

/* What the forward pass leaves for the backward pass of one layer; R = sequences * tokens rows. */
struct layer_acts {
    float *x;       /* (R,width) the residual stream that enters */
    float *ln1;     /* (R,width) */
    float *qkv;     /* (R,3*width) */
    float *probs;   /* (sequences, heads, tokens, tokens), rows valid up to the diagonal's block */
    float *mixed;   /* (R,width) */
    float *mid;     /* (R,width) the residual stream after attention */
    float *ln2;     /* (R,width) */
    float *up;      /* (R,hidden) before GELU */
    float *wide;    /* (R,hidden) after it */
};

/* Working memory of one thread. */
struct work {
    size_t sequences; /* that fit, each of the model's context */
    struct layer_acts layer[GPT2_MAX_LAYERS];
    float *x, *norm;                 /* (R,width) the last residual stream and its LayerNorm */
    float *logits;                   /* (R,vocab) then softmax, then the gradient */
    float *dx, *dnorm;               /* (R,width) */
    float *dqkv;                     /* (R,3*width) */
    float *dwide;                    /* (R,hidden) */
    float *turned;                   /* (width/heads, context) keys or values of a head, transposed */
    float *dprobs;                   /* (ATTENTION_BLOCK, context) */
    void *memory;
};

/* False when there is not enough memory (or its size overflows). Free with work_free. */
bool work_alloc(struct work *work, const struct params *params, size_t sequences);
void work_free(struct work *work);

/* Fills the transposed copy of tensor i. */
void model_transpose(struct model *model, size_t tensor, const float *weights, float *transposed);

/* Cross entropy of windows[s][1..tokens] given windows[s][0..tokens-1]: sums over each sequence
 * into loss[s] (natural log). sequences <= work->sequences, tokens <= context. Leaves the
 * probabilities in work->logits. */
void model_forward(const struct model *model, struct work *work, const uint16_t *const *windows,
                   size_t sequences, size_t tokens, double *loss);

/* After model_forward with the same arguments: adds the gradient of scale * (sum of losses) to grad. */
void model_backward(const struct model *model, struct work *work, const uint16_t *const *windows,
                    size_t sequences, size_t tokens, float scale, struct view *grad);

/* Causal attention of one sequence and head, used by the two above. qkv (tokens, 3*width) points at
 * the head's queries; keys and values follow at +width and +2*width.
 * probs (tokens,tokens), mixed (tokens; row stride width). */
void attention_forward(const struct model *model, struct work *work, const float *qkv, float *probs,
                       float *mixed, size_t tokens);
/* From dmixed (tokens; row stride width): writes dqkv (tokens; row stride 3*width). */
void attention_backward(const struct model *model, struct work *work, const float *qkv, const float *probs,
                        const float *dmixed, float *dqkv, size_t tokens);

#endif
