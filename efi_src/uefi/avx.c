/* Firmware need not enable AVX: CR4.OSXSAVE and XCR0 are set here (Intel SDM volume 1, 13.2 and
 * 13.3). A processor without XSAVE is left alone: setting CR4.OSXSAVE would fault. */
#include "avx.h"
#include "../kernels/cpu.h"
#include <xmmintrin.h>

#define CR4_OSXSAVE (UINT64_C(1) << 18)
#define MXCSR_DEFAULT 0x1f80u /* round to nearest, denormals kept, exceptions masked */

static void set_osxsave(void) {
    uint64_t cr4;

    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_OSXSAVE) : "memory");
}

static void set_xcr0(uint64_t value) {
    __asm__ volatile("xsetbv" : : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(0) : "memory");
}

void avx_enable(void) {
    struct cpu_leaves leaves = cpu_detect();

    if (cpu_best_xcr0(&leaves) != 0) {
        set_osxsave();
        leaves = cpu_detect(); /* XCR0 can be read now */
        set_xcr0(cpu_best_xcr0(&leaves));
    }
    _mm_setcsr(MXCSR_DEFAULT);
}
