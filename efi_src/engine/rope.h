/* Rotary positions: pair i of a head at position p turns by the angle p * frequency i. */
#ifndef INGOT_ROPE_H
#define INGOT_ROPE_H

#include "../kernels/kernels.h"
#include <stddef.h>
#include <stdint.h>

/* Beyond it the sine of an angle is no longer exact (math.h). */
#define ROPE_MAX_POSITION (1u << 20)

/* theta^(-2i/head_width), divided by factors[i] when there are any -> frequency (head_width/2) */
void rope_frequencies(double *frequency, size_t head_width, double theta, const float *factors);

/* Positions pos..pos+m-1 -> cosine, sine (m, pairs), each computed in double and rounded once */
void rope_table(float *cosine, float *sine, const double *frequency, size_t pairs, uint32_t pos, size_t m);

/* Turns each head of x (m, heads * 2*pairs). */
void rope_turn(const struct kernels *k, float *x, const float *cosine, const float *sine, size_t heads,
               size_t pairs, size_t m);

#endif
