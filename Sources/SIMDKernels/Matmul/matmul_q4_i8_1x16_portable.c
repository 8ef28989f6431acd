// What matmul_i8 means for 4-bit weights, in plain C: the other micro-kernels must give the same bits.

#include <math.h>

#include "matmul_i8.h"

#pragma STDC FP_CONTRACT OFF

void vl2_matmul_q4_i8_1x16_portable(const uint8_t *block, size_t columns, const uint8_t *const *x,
                                    float (*out)[16]) {
  const uint8_t *lines = block + q4_lines(columns), *row_scales = block + q4_row_scales(columns);
  const int8_t *values = (const int8_t *)x[0];
  const uint8_t *scales = x[0] + quantized_scales(columns);
  size_t groups = (columns + 15) / 16;
  for (size_t r = 0; r < 16; r++) {
    float sum = 0;
    for (size_t g = 0; g < groups; g += 2) {
      int32_t scaled = 0;
      for (size_t h = g; h < g + 2 && h < groups; h++) {
        int32_t products = 0;
        for (size_t k = 0; k < 16; k++) {
          int byte = lines[h * 128 + k / 8 * 64 + r * 4 + k % 4];
          products += vl2_q4_codebook[k % 8 < 4 ? byte & 15 : byte >> 4] * values[h * 16 + k];
        }
        scaled += q4_scale(block, h, r) * products;
      }
      sum = fmaf((float)scaled, load_f32(scales + g / 2 * 4), sum);
    }
    out[0][r] = sum * float_of_bf16(load_u16(row_scales + r * 2));
  }
}
