#if defined(__aarch64__)

#include <arm_neon.h>

#include "matmul_i8.h"

#pragma clang attribute push(__attribute__((target("i8mm,tune=neoverse-n2"))), apply_to = function)

#include "matmul_smmla.h"

void vl2_matmul_q4x8_i8_4x16_i8mm(const uint8_t *piece, size_t groups, const uint8_t *const *x,
                                  const uint8_t *const *scales, float (*out)[16]) {
  expanded_rows_i8mm(piece, groups, x, scales, out, 0);
}

#pragma clang attribute pop

#endif
