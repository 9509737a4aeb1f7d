/* AVX-512 with VNNI, which multiplies bytes and adds four products up at once. Compiled as avx512.c, with
 * -mavx512vnni. */
#define TABLE kernels_avx512vnni
#define TABLE_NAME "avx512vnni"

#include "avx512.h"
