/* What the CPU offers and the system allows. Deciding is a pure function of CPUID and XCR0, so
 * that made-up CPUs can be tested; cpu_detect reads the real ones. */
#ifndef INGOT_CPU_H
#define INGOT_CPU_H

#include <stddef.h>
#include <stdint.h>

enum cpu_feature {
    CPU_SSE2 = 1 << 0,
    CPU_AVX = 1 << 1,
    CPU_AVX2 = 1 << 2,
    CPU_FMA = 1 << 3,    /* reported, never used: DESIGN.md, Determinism */
    CPU_F16C = 1 << 4,
    CPU_AVX512 = 1 << 5, /* F, BW, DQ and VL, all four */
    CPU_SHA = 1 << 6,    /* with SSSE3 and SSE4.1, which its code uses too */
    CPU_AVX512VNNI = 1 << 7,
};

/* The registers that matter; 0 where the CPU has no such leaf. */
struct cpu_leaves {
    char vendor[13];              /* leaf 0: "GenuineIntel" */
    uint32_t leaf1_ecx, leaf1_edx;
    uint32_t leaf7_ebx, leaf7_ecx; /* subleaf 0 */
    uint32_t leaf13_eax;          /* leaf 0xD, subleaf 0: the XCR0 bits that may be set */
    uint64_t xcr0;                /* 0 unless CR4.OSXSAVE is set (leaf 1, ECX bit 27) */
};

/* The cpu_feature bits that a program may use now. */
uint32_t cpu_features(const struct cpu_leaves *leaves);

/* The XCR0 that turns on all of SSE, AVX and AVX-512 that this CPU has (for firmware that left
 * them off); 0 where it has no XSAVE and XCR0 must not be touched. */
uint64_t cpu_best_xcr0(const struct cpu_leaves *leaves);

/* Reads this core's CPUID, and XCR0 where that is allowed. */
struct cpu_leaves cpu_detect(void);

/* "sse2,avx,avx2" into text (size bytes, always ended with 0) */
void cpu_features_text(uint32_t features, char *text, size_t size);

#endif
