/* AdamW (Loshchilov and Hutter 2019) with clipping by the global norm and a warm-up and cosine
 * schedule. Work is cut into blocks of one tensor each, by a plan that depends on the model alone. */
#ifndef INGOT_TRAIN_OPTIM_H
#define INGOT_TRAIN_OPTIM_H

#include "params.h"

#include "../kernels/kernels.h"

#define OPTIM_BLOCK 4096 /* floats */
#define OPTIM_BETA1 0.9
#define OPTIM_BETA2 0.95
#define OPTIM_EPS 1e-8
#define OPTIM_CLIP 1.0      /* largest global norm of a gradient */
#define OPTIM_LAST_LR 0.01  /* where the cosine ends, as a part of the peak */

struct block {
    size_t at, n;
    bool decays; /* matrices do, vectors do not */
};

/* The blocks of the model, in order; NULL when there is no memory. Free with free(). */
struct block *optim_plan(const struct params *params, size_t *count);

/* Learning rate of step 1..steps: rises linearly to `peak` over `warmup` steps, then falls along a
 * cosine to OPTIM_LAST_LR * peak at the last step. */
double optim_lr(uint64_t step, uint64_t steps, uint64_t warmup, double peak);

/* gradient[0] += gradient[1] += …, over one block; returns the sum of squares of the result. */
double optim_combine(const struct kernels *k, float *const *gradients, size_t count,
                     const struct block *block);

/* The constants of one step; `squares` is the sum of optim_combine over all blocks, in order. */
struct adamw optim_step(uint64_t step, double lr, double decay, double squares);

#endif
