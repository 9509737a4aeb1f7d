#include "quant.h"

#include "../engine/math.h"

float quant_half(uint16_t half) {
    uint32_t sign = (half & 0x8000u) << 16, exponent = (half >> 10) & 31, mantissa = half & 0x3ffu;
    if (exponent == 0) /* zero or subnormal: mantissa * 2^-24, which is exact */
        return m_from_bits_f(sign | m_bits_f((float)mantissa * 5.9604644775390625e-8f));
    if (exponent == 31) /* infinity, or a NaN that becomes quiet */
        return m_from_bits_f(sign | 0x7f800000u | mantissa << 13 | (mantissa ? 0x400000u : 0));
    return m_from_bits_f(sign | (exponent + 112) << 23 | mantissa << 13);
}
