/* SHA-256 by the SHA extensions (Intel SDM volume 2, SHA256RNDS2 and its kin). Compiled with -msha
 * -mssse3 -msse4.1. Two rounds an instruction; the state lies in two registers as (a,b,e,f) and
 * (c,d,g,h), highest lane first. */
#include "sha.h"

#include <immintrin.h>

/* The four words of the schedule behind m[0..3], the oldest first */
static inline __m128i next(const __m128i m[4]) {
    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(m[0], m[1]), _mm_alignr_epi8(m[3], m[2], 4));
    return _mm_sha256msg2_epu32(sum, m[3]);
}

/* Four rounds with the words w, of the constants at k */
static inline void rounds(__m128i *abef, __m128i *cdgh, __m128i w, const uint32_t *k) {
    __m128i sum = _mm_add_epi32(w, _mm_loadu_si128((const __m128i *)k));
    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, sum);
    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

static void blocks(uint32_t state[SHA_WORDS], const uint8_t *bytes, size_t count) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i dcba = _mm_loadu_si128((const __m128i *)state), hgfe = _mm_loadu_si128((const __m128i *)(state + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

    for (; count > 0; count--, bytes += SHA_BLOCK) {
        __m128i before_abef = abef, before_cdgh = cdgh, m[4];
        for (int i = 0; i < 4; i++) {
            m[i] = _mm_loadu_si128((const __m128i *)(bytes + 16 * i));
            m[i] = _mm_shuffle_epi8(m[i], big_endian);
            rounds(&abef, &cdgh, m[i], sha_constants + 4 * i);
        }
        for (int i = 4; i < 16; i++) {
            __m128i w = next(m);
            rounds(&abef, &cdgh, w, sha_constants + 4 * i);
            m[0] = m[1], m[1] = m[2], m[2] = m[3], m[3] = w;
        }
        abef = _mm_add_epi32(abef, before_abef);
        cdgh = _mm_add_epi32(cdgh, before_cdgh);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

const struct sha_kernel sha_ni = {.name = "sha-ni", .blocks = blocks};
