/* The parameters of one GPT-2: where each tensor lies in one buffer (the order of weights.bin),
 * and how it starts. Gradients, both AdamW moments and the transposed weights use the same layout. */
#ifndef INGOT_TRAIN_PARAMS_H
#define INGOT_TRAIN_PARAMS_H

#include "../engine/gpt2.h"
#include <stdbool.h>
#include <stdint.h>

#define PARAMS_PER_LAYER 12
#define PARAMS_MAX (4 + PARAMS_PER_LAYER * GPT2_MAX_LAYERS)

struct parameter {
    size_t at, rows, cols; /* floats at [at, at + rows * cols); vectors have one row */
    float deviation;       /* of its normal start; 0: starts at `fill` */
    float fill;
    bool matrix;           /* decays, and is wanted transposed */
};

struct params {
    struct shape config;
    size_t count;  /* of tensors */
    size_t floats; /* in all */
    struct parameter tensor[PARAMS_MAX];
};

/* One buffer seen as a model: gpt2.h's names, writable. */
struct layer_view {
    float *ln1_w, *ln1_b, *qkv_w, *qkv_b, *proj_w, *proj_b;
    float *ln2_w, *ln2_b, *up_w, *up_b, *down_w, *down_b;
};

struct view {
    float *token, *position;
    struct layer_view layer[GPT2_MAX_LAYERS];
    float *norm_w, *norm_b;
};

/* Fills params->config, kv_heads and head_width too. False when the configuration is invalid (a zero, more than GPT2_MAX_LAYERS, a width that heads
 * does not divide) or its size overflows. */
bool params_plan(struct params *params, const struct shape *config);

void params_view(const struct params *params, float *base, struct view *view);

/* GPT-2's start: normal with deviation 0.02, residual projections 0.02 / sqrt(2 layers), biases 0,
 * LayerNorm gains 1; all normals from the stream (seed, RNG_INIT, 0), in the order of the file. */
void params_init(const struct params *params, float *base, uint64_t seed);

/* to (cols,rows) = from (rows,cols), transposed */
void transpose(float *to, const float *from, size_t rows, size_t cols);

#endif
