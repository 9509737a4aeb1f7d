/* exp, log, tanh, pow, sin, cos and sqrt from the four operations and integer bit tricks, so that
 * they give the same bits everywhere. No libc. Float functions serve the model (the kernels
 * vectorise the same formulas), double ones schedules and rotary positions.
 *
 * Polynomials: Cephes (float) and FreeBSD's msun (double); bounds are checked against libm by
 * tests/kernels/test_math.py. */
#ifndef INGOT_MATH_H
#define INGOT_MATH_H

#include <stdint.h>

#define M_PI_D 3.14159265358979323846
#define M_INF_D __builtin_inf()
#define M_NAN_D __builtin_nan("")

static inline uint32_t m_bits_f(float x) {
    union { float f; uint32_t u; } v = {.f = x};
    return v.u;
}

static inline float m_from_bits_f(uint32_t u) {
    union { uint32_t u; float f; } v = {.u = u};
    return v.f;
}

static inline uint64_t m_bits(double x) {
    union { double d; uint64_t u; } v = {.d = x};
    return v.u;
}

static inline double m_from_bits(uint64_t u) {
    union { uint64_t u; double d; } v = {.u = u};
    return v.d;
}

/* The instruction: correctly rounded by IEEE 754. */
static inline float m_sqrtf(float x) { return __builtin_sqrtf(x); }
static inline double m_sqrt(double x) { return __builtin_sqrt(x); }

/* ---- float ---- */

/* Adding this leaves the nearest integer in the low bits of the mantissa (|x| < 2^22). */
#define M_ROUND_F 12582912.0f /* 1.5 * 2^23 */
#define M_EXPF_MAX 89.0f      /* above: infinity */
#define M_EXPF_MIN (-104.0f)  /* below: 0 */
#define M_LOG2E_F 1.44269504088896341f
#define M_LN2HI_F 0.693359375f
#define M_LN2LO_F (-2.12194440e-4f)
#define M_EXPF_P0 1.9875691500e-4f
#define M_EXPF_P1 1.3981999507e-3f
#define M_EXPF_P2 8.3334519073e-3f
#define M_EXPF_P3 4.1665795894e-2f
#define M_EXPF_P4 1.6666665459e-1f
#define M_EXPF_P5 5.0000001201e-1f

/* e^x; subnormal results are right too. simd.h repeats this, operation by operation. */
static inline float m_expf(float x) {
    if (x > M_EXPF_MAX)
        x = M_EXPF_MAX;
    if (x < M_EXPF_MIN)
        x = M_EXPF_MIN;
    float shifted = x * M_LOG2E_F + M_ROUND_F;
    float whole = shifted - M_ROUND_F;
    int32_t n = (int32_t)(m_bits_f(shifted) - m_bits_f(M_ROUND_F));
    float r = x - whole * M_LN2HI_F;
    r = r - whole * M_LN2LO_F;
    float p = M_EXPF_P0;
    p = p * r + M_EXPF_P1;
    p = p * r + M_EXPF_P2;
    p = p * r + M_EXPF_P3;
    p = p * r + M_EXPF_P4;
    p = p * r + M_EXPF_P5;
    p = p * (r * r) + r;
    p = p + 1.0f;
    int32_t half = n >> 1; /* 2^n in two steps: n may leave the range of one exponent */
    p = p * m_from_bits_f((uint32_t)(half + 127) << 23);
    return p * m_from_bits_f((uint32_t)(n - half + 127) << 23);
}

static inline float m_tanhf(float x) {
    float a = x < 0.0f ? -x : x;
    if (a < 0.625f) {
        float z = x * x;
        float p = -5.70498872745e-3f;
        p = p * z + 2.06390887954e-2f;
        p = p * z - 5.37397155531e-2f;
        p = p * z + 1.33314422036e-1f;
        p = p * z - 3.33332819422e-1f;
        return p * z * x + x;
    }
    float t = a > 10.0f ? 1.0f : 1.0f - 2.0f / (m_expf(2.0f * a) + 1.0f);
    if (a != a)
        return x;
    return x < 0.0f ? -t : t;
}

/* GELU, tanh approximation: x/2 (1 + tanh u) = x / (1 + e^-2u), u = sqrt(2/pi) (x + 0.044715 x^3). */
#define M_GELU_A (-1.5957691216057308f)   /* -2 sqrt(2/pi) */
#define M_GELU_B (-0.071354816272600250f) /* -2 sqrt(2/pi) 0.044715 */

static inline float m_geluf(float x) {
    float e = m_expf(x * (x * x * M_GELU_B + M_GELU_A));
    return x / (e + 1.0f);
}

/* Its derivative: with s = 1 / (1 + e^-2u), s + x s (1 - s) 2u'. */
static inline float m_gelu_slopef(float x) {
    float e = m_expf(x * (x * x * M_GELU_B + M_GELU_A));
    float s = 1.0f / (e + 1.0f);
    float du = x * x * (-3.0f * M_GELU_B) - M_GELU_A;
    return x * s * (1.0f - s) * du + s;
}

/* ---- double ---- */

#define M_ROUND_D 6755399441055744.0 /* 1.5 * 2^52 */
#define M_LN2HI_D 6.93147180369123816490e-01
#define M_LN2LO_D 1.90821492927058770002e-10

static inline double m_abs(double x) { return m_from_bits(m_bits(x) & 0x7fffffffffffffffu); }

static inline double m_exp(double x) {
    if (x != x)
        return x;
    if (x > 709.782712893383973096)
        return M_INF_D;
    if (x < -745.2)
        return 0.0;
    double whole = (x * 1.44269504088896338700 + M_ROUND_D) - M_ROUND_D;
    int32_t n = (int32_t)whole;
    double hi = x - whole * M_LN2HI_D, lo = whole * M_LN2LO_D;
    double r = hi - lo, t = r * r;
    double p = 4.13813679705723846039e-08;
    p = p * t - 1.65339022054652515390e-06;
    p = p * t + 6.61375632143793436117e-05;
    p = p * t - 2.77777777770155933842e-03;
    p = p * t + 1.66666666666666019037e-01;
    double c = r - t * p;
    double y = 1.0 - ((lo - (r * c) / (2.0 - c)) - hi);
    int32_t half = n >> 1;
    y = y * m_from_bits((uint64_t)(half + 1023) << 52);
    return y * m_from_bits((uint64_t)(n - half + 1023) << 52);
}

/* Splits x = m * 2^k, m in [sqrt(1/2), sqrt(2)); x > 0 and finite. */
static inline double m_split(double x, int32_t *k) {
    int32_t e = 0;
    if (x < 2.2250738585072014e-308) { /* subnormal */
        x *= 18014398509481984.0;
        e = -54;
    }
    uint64_t u = m_bits(x);
    e += (int32_t)(u >> 52) - 1023;
    double m = m_from_bits((u & 0x000fffffffffffffu) | 0x3ff0000000000000u);
    if (m > 1.41421356237309504880) {
        m *= 0.5;
        e += 1;
    }
    *k = e;
    return m;
}

/* (log(1+f) - 2s) / s for s = f / (2+f), z = s * s */
static inline double m_log_tail(double z) {
    double p = 1.479819860511658591e-01;
    p = p * z + 1.531383769920937332e-01;
    p = p * z + 1.818357216161805012e-01;
    p = p * z + 2.222219843214978396e-01;
    p = p * z + 2.857142874366239149e-01;
    p = p * z + 3.999999999940941908e-01;
    p = p * z + 6.666666666666735130e-01;
    return p * z;
}

static inline double m_log(double x) {
    if (x != x || x == M_INF_D)
        return x;
    if (x < 0.0)
        return M_NAN_D;
    if (x == 0.0)
        return -M_INF_D;
    int32_t k;
    double f = m_split(x, &k) - 1.0;
    double s = f / (2.0 + f), half = 0.5 * f * f, n = (double)k;
    double tail = s * (half + m_log_tail(s * s)) + n * M_LN2LO_D;
    return n * M_LN2HI_D - ((half - tail) - f);
}

/* a * b = return value + *lo, exactly (Dekker) */
static inline double m_product(double a, double b, double *lo) {
    double t = a * 134217729.0, ah = t - (t - a), al = a - ah;
    double u = b * 134217729.0, bh = u - (u - b), bl = b - bh;
    double p = a * b;
    *lo = ((ah * bh - p) + ah * bl + al * bh) + al * bl;
    return p;
}

/* log(x) = return value + *lo to some 60 bits; x > 0 and finite */
static inline double m_log_pair(double x, double *lo) {
    int32_t k;
    double f = m_split(x, &k) - 1.0, n = (double)k;
    double d = 2.0 + f, d_lo = f - (d - 2.0);
    double s = f / d, err, p = m_product(s, d, &err);
    double s_lo = (((f - p) - err) - s * d_lo) / d;
    double big = n * M_LN2HI_D, two_s = 2.0 * s; /* big is exact: 32 significant bits */
    double hi = big + two_s, v = hi - big;
    double rest = (big - (hi - v)) + (two_s - v);
    rest += 2.0 * s_lo + s * m_log_tail(s * s) + n * M_LN2LO_D;
    double sum = hi + rest;
    *lo = rest - (sum - hi);
    return sum;
}

/* x^y. Exact special cases of C99; otherwise within 2 ulp while |y log x| < 16, 32 ulp beyond. */
static inline double m_pow(double x, double y) {
    if (y == 0.0 || x == 1.0)
        return 1.0;
    if (x != x || y != y)
        return x + y;
    int whole = m_abs(y) >= 4503599627370496.0 || (m_abs(y) + M_ROUND_D) - M_ROUND_D == m_abs(y);
    int odd = whole && m_abs(y) < 9007199254740992.0 && ((int64_t)y & 1);
    double sign = (m_bits(x) >> 63) && odd ? -1.0 : 1.0;
    double a = m_abs(x);
    if (m_abs(y) == M_INF_D)
        return a == 1.0 ? 1.0 : (a > 1.0) == (y > 0.0) ? M_INF_D : 0.0;
    if (a == 0.0 || a == M_INF_D)
        return sign * ((a == 0.0) == (y > 0.0) ? 0.0 : M_INF_D);
    if (x < 0.0 && !whole)
        return M_NAN_D;
    double lo, hi = m_log_pair(a, &lo);
    if (m_abs(y * hi) > 800.0)
        return sign * (y * hi > 0.0 ? M_INF_D : 0.0);
    double err, e = m_product(y, hi, &err);
    double r = m_exp(e);
    if (r == M_INF_D)
        return sign * r;
    return sign * (r + r * (err + y * lo));
}

/* x - n pi/2 = return value + *lo, |.| <= pi/4; *quadrant = n mod 4. */
static inline double m_reduce(double x, double *lo, unsigned *quadrant) {
    double n = (x * 6.36619772367581382433e-01 + M_ROUND_D) - M_ROUND_D;
    *quadrant = (unsigned)((int64_t)n & 3);
    /* pi/2 in three parts of 33 bits and a tail: n times a part is exact */
    double a = x - n * 1.57079632673412561417e+00;
    double w = n * 6.07710050630396597660e-11, b = a - w;
    double lost = (a - b) - w;
    w = n * 2.02226624871116645580e-21;
    double c = b - w;
    lost += (b - c) - w;
    w = n * 8.47842766036889956997e-32 - lost;
    double y = c - w;
    *lo = (c - y) - w;
    return y;
}

static inline double m_sin_kernel(double x, double lo) {
    double z = x * x, v = z * x;
    double r = 1.58969099521155010221e-10;
    r = r * z - 2.50507602534068634195e-08;
    r = r * z + 2.75573137070700676789e-06;
    r = r * z - 1.98412698298579493134e-04;
    r = r * z + 8.33333333332248946124e-03;
    return x - ((z * (0.5 * lo - v * r) - lo) + v * 1.66666666666666324348e-01);
}

static inline double m_cos_kernel(double x, double lo) {
    double z = x * x;
    double r = -1.13596475577881948265e-11;
    r = r * z + 2.08757232129817482790e-09;
    r = r * z - 2.75573143513906633035e-07;
    r = r * z + 2.48015872894767294178e-05;
    r = r * z - 1.38888888888741095749e-03;
    r = r * z + 4.16666666666666019037e-02;
    double half = 0.5 * z, w = 1.0 - half;
    return w + (((1.0 - w) - half) + (z * (z * r) - x * lo));
}

/* sin and cos, |x| <= 2^20 (beyond, and for infinities: NaN). */
static inline double m_sin(double x) {
    if (!(m_abs(x) <= 1048576.0))
        return M_NAN_D;
    if (m_abs(x) < 1e-9)
        return x;
    double lo, r;
    unsigned q;
    r = m_reduce(x, &lo, &q);
    double y = q & 1 ? m_cos_kernel(r, lo) : m_sin_kernel(r, lo);
    return q & 2 ? -y : y;
}

static inline double m_cos(double x) {
    if (!(m_abs(x) <= 1048576.0))
        return M_NAN_D;
    double lo, r;
    unsigned q;
    r = m_reduce(x, &lo, &q);
    double y = q & 1 ? m_sin_kernel(r, lo) : m_cos_kernel(r, lo);
    return q == 1 || q == 2 ? -y : y;
}

#endif
