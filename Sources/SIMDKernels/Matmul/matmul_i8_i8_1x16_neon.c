#if defined(__aarch64__)

#include "matmul_smull.h"

void vl2_matmul_i8_i8_1x16_neon(const uint8_t *block, size_t columns, const uint8_t *const *x,
                                    float (*out)[16]) {
  i8_i8_rows(block, columns, x, 1, out);
}

#endif
