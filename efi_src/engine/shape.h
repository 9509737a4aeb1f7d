/* The sizes of any model. */
#ifndef INGOT_SHAPE_H
#define INGOT_SHAPE_H

#include <stdint.h>

struct shape {
    uint32_t vocab, context, layers, heads, kv_heads, width, head_width, hidden; /* kv_heads divides heads; gpt2: kv_heads == heads */
    float eps;        /* of every norm */
    float rope_theta; /* llama alone */
};

#define SHAPE_MAX_LAYERS 256

#endif
