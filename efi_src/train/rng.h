/* Random numbers of the trainer: splitmix64 (Steele, Lea and Flood 2014), one stream for each
 * purpose and step, so that nothing of it needs to be kept in a checkpoint. */
#ifndef INGOT_TRAIN_RNG_H
#define INGOT_TRAIN_RNG_H

#include "../engine/math.h"
#include <stdint.h>

struct rng {
    uint64_t state;
};

enum rng_purpose { RNG_INIT = 1, RNG_BATCH = 2, RNG_SAMPLE = 3 };

static inline uint64_t rng_next(struct rng *rng) {
    uint64_t z = rng->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* The stream of (seed, purpose, index): each is mixed in by one draw. */
static inline struct rng rng_stream(uint64_t seed, enum rng_purpose purpose, uint64_t index) {
    struct rng rng = {seed};
    rng.state = rng_next(&rng) + (uint64_t)purpose;
    rng.state = rng_next(&rng) + index;
    rng.state = rng_next(&rng);
    return rng;
}

/* [0, n), by multiplication (the bias is below n / 2^64) */
static inline uint64_t rng_below(struct rng *rng, uint64_t n) {
    return (uint64_t)(((unsigned __int128)rng_next(rng) * n) >> 64);
}

/* [0, 1) with 53 bits */
static inline double rng_unit(struct rng *rng) { return (double)(rng_next(rng) >> 11) * 0x1p-53; }

/* Normal, mean 0, deviation 1: Box and Muller, the cosine half. */
static inline double rng_normal(struct rng *rng) {
    double u = 1.0 - rng_unit(rng), v = rng_unit(rng); /* u in (0, 1] */
    return m_sqrt(-2.0 * m_log(u)) * m_cos(2.0 * M_PI_D * v);
}

#endif
