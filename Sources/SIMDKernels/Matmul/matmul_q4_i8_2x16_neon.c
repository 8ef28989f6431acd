#if defined(__aarch64__)

#include "matmul_smull.h"

void vl2_matmul_q4_i8_2x16_neon(const uint8_t *block, size_t columns, const uint8_t *const *x,
                                    float (*out)[16]) {
  q4_i8_rows(block, columns, x, 2, out);
}

#endif
