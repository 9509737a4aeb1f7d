#ifndef INGOT_UEFI_AVX_H
#define INGOT_UEFI_AVX_H

/* Makes the vector registers that this processor has usable, and the arithmetic mode the promised
 * one. State of one core: each core calls it for itself. */
void avx_enable(void);

#endif
