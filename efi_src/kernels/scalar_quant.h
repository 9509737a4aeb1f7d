/* The quantised products of the scalar table, in the integer registers that every CPU has. */
#ifndef INGOT_SCALAR_QUANT_H
#define INGOT_SCALAR_QUANT_H

#include "quant.h"

/* kernels.h says what they do. */
void scalar_matmul_q8_0(float *out, size_t ldo, const struct q8_0 *w, const struct q8_rows *x, size_t d, size_t n,
                        size_t m);
void scalar_matmul_q4_0(float *out, size_t ldo, const struct q4_0 *w, const struct q8_rows *x, size_t d, size_t n,
                        size_t m);
void scalar_matmul_q8_g(float *out, size_t ldo, const int8_t *w, const float *scale, size_t group,
                        const struct q8_rows *x, size_t d, size_t n, size_t m);

#endif
