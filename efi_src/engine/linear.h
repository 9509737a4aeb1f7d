/* Matrix products over all cores: every output element is computed whole by one core, so that the bits do not depend
 * on how many there are. */
#ifndef INGOT_LINEAR_H
#define INGOT_LINEAR_H

#include "../kernels/kernels.h"
#include "cores.h"
#include "tensor.h"

/* What products are computed with. */
struct compute {
    const struct kernels *kernels;
    const struct cores *cores;
    int8_t *quants;      /* (batch, widest): activations rounded to int8 */
    float *quant_scales; /* (batch, widest/32) */
};

/* One product of several that share their input. */
struct product {
    const struct tensor *w; /* (d,n) */
    const float *bias;      /* (d), or NULL */
    float *out;             /* (m,d) */
};

/* w (d,n) @ x (m,n) + bias -> out (m,d), for each of `count` products with the same n: one job over all of their rows. */
void linear(const struct compute *c, const struct product *products, size_t count, const float *x, size_t m);

#endif
