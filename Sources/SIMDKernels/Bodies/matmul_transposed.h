// Float32 rows times some rows of a packed matrix, transposed: the weights' rows are weighted and added up. Lanes are
// the 16 rows of a block, as they lie; latent attention reads one matrix both ways like this.

#pragma once

#include "matmul_f32.h"

// Rows of x that share decoded weights, and columns decoded at a time: as many sums as one row has registers for.
enum { transposed_ahead = 64 };    // columns between what is read and what is asked for
enum { transposed_rows = 4, transposed_piece = 16 };    // pieces as wide as lanes_sum_of_each

// The values of x that meet the rows of a block; 0 for rows that do not take part.
LANES_INLINE f32x16 transposed_factors(const float *x, size_t first_row, size_t end_row, size_t block) {
  size_t first = block * 16;
  if (first >= first_row && first + 16 <= end_row) return lanes_load(x + first - first_row);
  float all[16];
  for (size_t lane = 0; lane < 16; lane++) {
    size_t row = first + lane;
    all[lane] = row >= first_row && row < end_row ? x[row - first_row] : 0.0f;
  }
  return lanes_load(all);
}

// Asks for what a block holds of columns `first`..<`first` + 16. Blocks are read a piece of each in turn, which no
// processor foresees.
LANES_INLINE void transposed_prefetch(uint32_t code, const uint8_t *block, size_t columns, size_t first) {
  const uint8_t *at = block;
  size_t bytes = 8;    // a column of 16 rows
  switch (code) {
    case VL2_CODE_F32: bytes = 64; break;
    case VL2_CODE_BF16: bytes = 32; break;
    case VL2_CODE_I8: bytes = 16, at += i8_lines(columns); break;
    default: at += q4_lines(columns); break;
  }
  for (size_t i = 0; i < bytes * transposed_piece; i += 64) __builtin_prefetch(at + first * bytes + i, 0, 3);
}

// sums[c] += factors * column first + c of a block with 4-bit weights, c in 0..<16. As f32_decode has them, but they stay in
// registers.
LANES_INLINE void transposed_q4(const uint8_t *block, size_t columns, size_t first, f32x16 factors, f32x16 *sums) {
  f32x16 row_scale = f32_row_scale(block + q4_row_scales(columns)), scale = f32_q4_scale(block, first / 16);
#pragma unroll
  for (uint32_t part = 0; part < 4; part++) {
    u8x64 codes = f32_q4_codes(block + q4_lines(columns), first / 16, part);
#pragma unroll
    for (uint32_t j = 0; j < 4; j++) {
      sums[part * 4 + j] += row_scale * (scale * f32_signed_byte(codes, j)) * factors;
    }
  }
}

LANES_INLINE void transposed_some(const vl2_matrix *matrix, size_t first_row, size_t end_row, const float *x,
                                  size_t x_stride, size_t rows, float *y, size_t y_stride) {
  _Alignas(64) float weights[transposed_piece * 16];
  f32x16 sums[transposed_rows * transposed_piece];
  size_t columns = matrix->columns;
  for (size_t first = 0; first < columns; first += transposed_piece) {
    size_t count = columns - first < transposed_piece ? columns - first : transposed_piece;
    for (size_t c = count * 16; c < transposed_piece * 16; c++) weights[c] = 0.0f;
#pragma unroll
    for (size_t s = 0; s < rows * transposed_piece; s++) sums[s] = 0.0f;
    for (size_t block = first_row / 16; block * 16 < end_row; block++) {
      if (first + transposed_ahead < columns) {
        transposed_prefetch(matrix->code, matrix->blocks + block * matrix->block_step, columns, first + transposed_ahead);
      }
      if (rows == 1 && matrix->code == VL2_CODE_Q4 && count == transposed_piece) {
        const uint8_t *at = matrix->blocks + block * matrix->block_step;
        transposed_q4(at, columns, first, transposed_factors(x, first_row, end_row, block), sums);
        continue;
      }
      f32_decode(matrix->code, matrix->blocks + block * matrix->block_step, columns, first, count, weights);
#pragma unroll
      for (size_t i = 0; i < rows; i++) {
        f32x16 factors = transposed_factors(x + i * x_stride, first_row, end_row, block);
#pragma unroll
        for (size_t c = 0; c < transposed_piece; c++) {
          sums[i * transposed_piece + c] += lanes_load(weights + c * 16) * factors;
        }
      }
    }
    for (size_t i = 0; i < rows; i++) {
      f32x16 all = lanes_sum_of_each(sums + i * transposed_piece);
      if (count == transposed_piece) {
        lanes_store(y + i * y_stride + first, all);
      } else {
        lanes_store_some(y + i * y_stride + first, count, all);
      }
    }
  }
}

static void matmul_transposed(const vl2_matrix *matrix, size_t first_row, size_t rows, const float *x,
                              size_t x_stride, size_t count, float *y, size_t y_stride) {
  size_t i = 0;
  for (; i + transposed_rows <= count; i += transposed_rows) {
    transposed_some(matrix, first_row, first_row + rows, x + i * x_stride, x_stride, transposed_rows,
                    y + i * y_stride, y_stride);
  }
  for (; i < count; i++) {
    transposed_some(matrix, first_row, first_row + rows, x + i * x_stride, x_stride, 1, y + i * y_stride,
                    y_stride);
  }
}
