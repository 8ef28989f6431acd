#if defined(__aarch64__)

#include <arm_neon.h>

#include "matmul_i8.h"

#pragma clang attribute push(__attribute__((target("dotprod,tune=neoverse-n1"))), apply_to = function)

#include "matmul_sdot.h"

void vl2_matmul_i8x8_i8_4x16_dotprod(const uint8_t *piece, size_t groups, const uint8_t *const *x,
                                  const uint8_t *const *scales, float (*out)[16]) {
  // In two halves: the sums of all 16 weight rows would not stay in registers.
  expanded_part(piece, groups, 0, 2, x, scales, 4, out, 1);
  expanded_part(piece, groups, 2, 2, x, scales, 4, out, 1);
}

#pragma clang attribute pop

#endif
