// What matmul_i8 means for 8-bit weights, in plain C: the other micro-kernels must give the same bits.

#include <math.h>

#include "matmul_i8.h"

#pragma STDC FP_CONTRACT OFF

void vl2_matmul_i8_i8_1x16_portable(const uint8_t *block, size_t columns, const uint8_t *const *x,
                                    float (*out)[16]) {
  const uint8_t *lines = block + i8_lines(columns), *row_scales = block + i8_row_scales(columns);
  const int8_t *values = (const int8_t *)x[0];
  const uint8_t *scales = x[0] + quantized_scales(columns);
  size_t padded = (columns + 15) / 16 * 16;
  for (size_t r = 0; r < 16; r++) {
    float sum = 0;
    for (size_t k = 0; k < padded; k += 32) {
      int32_t products = 0;
      for (size_t c = k; c < k + 32 && c < padded; c++) {
        products += (int8_t)lines[c / 4 * 64 + r * 4 + c % 4] * values[c];
      }
      sum = fmaf((float)(products * block[k / 32 * 16 + r]), load_f32(scales + k / 8), sum);
    }
    out[0][r] = sum * float_of_bf16(load_u16(row_scales + r * 2));
  }
}
