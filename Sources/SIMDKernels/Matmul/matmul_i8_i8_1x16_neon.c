#if defined(__aarch64__)

#include <arm_neon.h>

#include "matmul_i8.h"

// Whatever the processor: what the compiler knows of others makes it store sums and load them again.
#pragma clang attribute push(__attribute__((target("tune=neoverse-n1"))), apply_to = function)

#include "matmul_smull.h"

void vl2_matmul_i8_i8_1x16_neon(const uint8_t *block, size_t columns, const uint8_t *const *x,
                                    float (*out)[16]) {
  i8_i8_part(block, columns, 0, 4, x, 1, out);
}

#pragma clang attribute pop

#endif
