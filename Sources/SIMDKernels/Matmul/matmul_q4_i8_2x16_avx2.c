#if defined(__x86_64__)

#include "matmul_q4_i8_avx2.h"

TARGET_AVX2 void vl2_matmul_q4_i8_2x16_avx2(const uint8_t *block, size_t columns,
    const uint8_t *const *x, float (*out)[16]) {
  q4_i8_rows(block, columns, x, 2, out);
}

#endif
