// What the matmul_i8 micro-kernels share: how they are called, and the loops around them.
//
// A micro-kernel is one file, named for the code, the tile (activation rows x weight rows) and the instruction
// set. It reads one block of weights in place and a few quantised rows, and writes 16 results for each of them.

#ifndef MATMUL_I8_H
#define MATMUL_I8_H

#include "SIMDKernels.h"
#include "layout.h"

// out[i][r] = row r of the block times x[i], r in 0..<16, without bias.
typedef void matmul_i8_tile(const uint8_t *block, size_t columns, const uint8_t *const *x, float (*out)[16]);

// The micro-kernels of an instruction set for one code: one row, and `rows` rows.
typedef struct {
  matmul_i8_tile *one;
  matmul_i8_tile *many;
  size_t rows;  // at most 8
} matmul_i8_set;

// Rows that stay in the second-level cache while all blocks go by.
enum { matmul_i8_stay = 64 };

static inline void matmul_i8_store(const float *values, const vl2_matrix *matrix, size_t block,
                                   const float *bias, float *y) {
  size_t first = block * 16, left = matrix->rows - first, count = left < 16 ? left : 16;
  if (count == 16 && bias == NULL) {
    memcpy(y + first, values, 64);
  } else {
    for (size_t r = 0; r < count; r++) y[first + r] = bias ? values[r] + bias[first + r] : values[r];
  }
}

static inline void matmul_i8_blocks(const matmul_i8_set *set, const vl2_matrix *matrix, size_t first_block,
                                    size_t last_block, const uint8_t *x, size_t x_step, const uint32_t *index,
                                    size_t count, const float *bias, float *y, size_t y_stride) {
  _Alignas(64) float out[8][16];
  const uint8_t *rows[8];
  for (size_t begin = 0; begin < count; begin += matmul_i8_stay) {
    size_t end = count - begin < matmul_i8_stay ? count : begin + matmul_i8_stay;
    for (size_t b = first_block; b < last_block; b++) {
      const uint8_t *block = matrix->blocks + b * matrix->block_step;
      for (size_t i = begin; i < end;) {
        size_t taken = end - i < set->rows ? 1 : set->rows;
        for (size_t j = 0; j < taken; j++) rows[j] = x + (index ? index[i + j] : i + j) * x_step;
        (taken == 1 ? set->one : set->many)(block, matrix->columns, rows, out);
        for (size_t j = 0; j < taken; j++) matmul_i8_store(out[j], matrix, b, bias, y + (i + j) * y_stride);
        i += taken;
      }
    }
  }
}

matmul_i8_tile vl2_matmul_q4_i8_1x16_portable, vl2_matmul_i8_i8_1x16_portable;

#endif
