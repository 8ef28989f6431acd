#if defined(__x86_64__)

#include "matmul_i8_i8_avx512vnni.h"

TARGET_AVX512VNNI void vl2_matmul_i8_i8_2x16_avx512vnni(const uint8_t *block, size_t columns,
    const uint8_t *const *x, float (*out)[16]) {
  i8_i8_rows(block, columns, x, 2, out);
}

#endif
