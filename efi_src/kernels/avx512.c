/* AVX-512. Compiled with -mavx512f -mavx512bw -mavx512vl -mavx512dq -mf16c, and -ffp-contract=off keeps
 * the multiplications and additions apart (AVX-512 F includes FMA). */
#define TABLE kernels_avx512
#define TABLE_NAME "avx512"

#include "avx512.h"
