/* engine/math.h over arrays, for ctypes. */
#include "engine/math.h"

#include <stddef.h>

#define MAP(type, name)                                                                                               \
    void map_##name(type *out, const type *x, size_t n) {                                                              \
        for (size_t i = 0; i < n; i++)                                                                                 \
            out[i] = name(x[i]);                                                                                       \
    }

MAP(float, m_expf)
MAP(float, m_tanhf)
MAP(float, m_sqrtf)
MAP(float, m_geluf)
MAP(float, m_gelu_slopef)
MAP(double, m_exp)
MAP(double, m_log)
MAP(double, m_sin)
MAP(double, m_cos)
MAP(double, m_sqrt)

void map_m_pow(double *out, const double *x, const double *y, size_t n) {
    for (size_t i = 0; i < n; i++)
        out[i] = m_pow(x[i], y[i]);
}
