#include "cpu.h"

#define BIT(word, n) (((word) >> (n)) & 1u)

#define XCR0_X87 (1u << 0)
#define XCR0_AVX ((1u << 1) | (1u << 2))                  /* SSE and AVX state */
#define XCR0_AVX512 ((1u << 5) | (1u << 6) | (1u << 7))   /* masks, upper halves, registers 16 to 31 */

/* F, DQ, BW, VL of leaf 7 */
static int has_avx512(const struct cpu_leaves *leaves) {
    return BIT(leaves->leaf7_ebx, 16) && BIT(leaves->leaf7_ebx, 17) && BIT(leaves->leaf7_ebx, 30)
           && BIT(leaves->leaf7_ebx, 31);
}

uint32_t cpu_features(const struct cpu_leaves *leaves) {
    uint32_t found = 0;
    if (BIT(leaves->leaf1_edx, 26))
        found |= CPU_SSE2;
    if (BIT(leaves->leaf7_ebx, 29) && BIT(leaves->leaf1_ecx, 9) && BIT(leaves->leaf1_ecx, 19))
        found |= CPU_SHA;
    int osxsave = BIT(leaves->leaf1_ecx, 27);
    if (!osxsave || (leaves->xcr0 & XCR0_AVX) != XCR0_AVX || !BIT(leaves->leaf1_ecx, 28))
        return found;
    found |= CPU_AVX;
    if (BIT(leaves->leaf1_ecx, 12))
        found |= CPU_FMA;
    if (BIT(leaves->leaf1_ecx, 29))
        found |= CPU_F16C;
    if (!BIT(leaves->leaf7_ebx, 5))
        return found;
    found |= CPU_AVX2;
    if (!has_avx512(leaves) || (leaves->xcr0 & XCR0_AVX512) != XCR0_AVX512)
        return found;
    found |= CPU_AVX512;
    if (BIT(leaves->leaf7_ecx, 11))
        found |= CPU_AVX512VNNI;
    return found;
}

uint64_t cpu_best_xcr0(const struct cpu_leaves *leaves) {
    int xsave = BIT(leaves->leaf1_ecx, 26);
    if (!xsave)
        return 0;
    uint64_t best = XCR0_X87 | (1u << 1);
    if (BIT(leaves->leaf1_ecx, 28) && (leaves->leaf13_eax & XCR0_AVX) == XCR0_AVX) {
        best |= XCR0_AVX;
        if (has_avx512(leaves) && (leaves->leaf13_eax & XCR0_AVX512) == XCR0_AVX512)
            best |= XCR0_AVX512;
    }
    return best | leaves->xcr0; /* what the firmware turned on stays on */
}

struct registers {
    uint32_t a, b, c, d;
};

static struct registers cpuid(uint32_t leaf) {
    struct registers r;
    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(0));
    return r;
}

static uint64_t read_xcr0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

struct cpu_leaves cpu_detect(void) {
    struct cpu_leaves leaves = {0};
    struct registers zero = cpuid(0), one = cpuid(1);
    uint32_t name[3] = {zero.b, zero.d, zero.c};
    for (size_t i = 0; i < 12; i++)
        leaves.vendor[i] = (char)(name[i / 4] >> (8 * (i % 4)));
    leaves.leaf1_ecx = one.c;
    leaves.leaf1_edx = one.d;
    if (zero.a >= 7) {
        struct registers seven = cpuid(7);
        leaves.leaf7_ebx = seven.b;
        leaves.leaf7_ecx = seven.c;
    }
    if (zero.a >= 13 && BIT(one.c, 26))
        leaves.leaf13_eax = cpuid(13).a;
    if (BIT(one.c, 27))
        leaves.xcr0 = read_xcr0();
    return leaves;
}

void cpu_features_text(uint32_t features, char *text, size_t size) {
    static const char names[][12] = {"sse2", "avx", "avx2", "fma", "f16c", "avx512", "sha", "avx512vnni"};
    size_t at = 0;
    if (size == 0)
        return;
    for (size_t f = 0; f < sizeof names / sizeof names[0]; f++) {
        if (!BIT(features, f))
            continue;
        if (at > 0 && at + 1 < size)
            text[at++] = ',';
        for (const char *c = names[f]; *c && at + 1 < size; c++)
            text[at++] = *c;
    }
    text[at] = 0;
}
