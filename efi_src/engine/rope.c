/* Rotary positions. */
#include "rope.h"
#include "math.h"

void rope_frequencies(double *frequency, size_t head_width, double theta, const float *factors) {
    for (size_t i = 0; i < head_width / 2; i++) {
        frequency[i] = m_pow(theta, -2.0 * (double)i / (double)head_width);
        if (factors) frequency[i] /= (double)factors[i];
    }
}

void rope_table(float *cosine, float *sine, const double *frequency, size_t pairs, uint32_t pos, size_t m) {
    for (size_t r = 0; r < m; r++)
        for (size_t i = 0; i < pairs; i++) {
            double angle = (double)(pos + r) * frequency[i];
            cosine[r * pairs + i] = (float)m_cos(angle);
            sine[r * pairs + i] = (float)m_sin(angle);
        }
}

void rope_turn(const struct kernels *k, float *x, const float *cosine, const float *sine, size_t heads,
               size_t pairs, size_t m) {
    for (size_t r = 0; r < m; r++)
        for (size_t h = 0; h < heads; h++, x += 2 * pairs)
            k->rope(x, cosine + r * pairs, sine + r * pairs, 2 * pairs);
}
