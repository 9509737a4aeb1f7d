/* Working memory of one sequence, for any model, carved from two arenas. */
#ifndef INGOT_STATE_H
#define INGOT_STATE_H

#include "arena.h"
#include "linear.h"
#include "shape.h"

struct state {
    struct compute compute;
    size_t batch;           /* tokens at once, 1 or more */
    float *keys, *values;   /* (layers, kv_heads, context, head_width) */
    float *x, *norm;        /* (batch,width): the residual stream; its norm, then what is added to it */
    float *q, *mixed;       /* (batch, heads * head_width) */
    float *k, *v;           /* (batch, kv_heads * head_width) */
    float *gate, *up;       /* (batch,hidden) */
    float *scores;          /* (cores, context) */
    float *cosine, *sine;   /* (batch, head_width/2) */
    double *frequency;      /* (head_width/2) */
    float *logits;          /* (vocab) */
};

/* Bytes of keys and values, and of all the rest; SIZE_MAX when that does not fit. */
size_t state_kv_bytes(const struct shape *shape);
size_t state_act_bytes(const struct shape *shape, size_t batch, unsigned cores);

/* Carves a state from arenas of at least that size; 0 when they are smaller. */
int state_open(struct state *state, const struct shape *shape, size_t batch, const struct kernels *kernels,
               const struct cores *cores, struct arena *kv, struct arena *acts);

#endif
