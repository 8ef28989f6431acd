#if defined(__aarch64__)

#include <arm_neon.h>

#include "matmul_i8.h"

// Whatever the processor: what the compiler knows of others makes it store sums and load them again.
#pragma clang attribute push(__attribute__((target("tune=neoverse-n1"))), apply_to = function)

#include "matmul_smull.h"

void vl2_matmul_q4x8_i8_4x16_neon(const uint8_t *piece, size_t groups, const uint8_t *const *x,
                                  const uint8_t *const *scales, float (*out)[16]) {
  // One row after the other: its values, each 4 of them in a register of their own, serve all 16 weight rows.
  for (size_t i = 0; i < 4; i++) q4x8_i8_part(piece, groups, 0, 4, x + i, scales + i, 1, out + i);
}

#pragma clang attribute pop

#endif
