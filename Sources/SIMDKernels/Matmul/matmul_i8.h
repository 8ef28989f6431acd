// What the matmul_i8 micro-kernels share: how they are called, and the loops around them.
//
// A micro-kernel is one file, named for the weights' code, the activations, the tile (activation rows x weight
// rows) and the instruction set. It reads one block of weights in place and a few quantised rows, and writes 16
// results for each of them.

#ifndef MATMUL_I8_H
#define MATMUL_I8_H

#include "../layout.h"

// out[i][r] = row r of the block times x[i], r in 0..<16, without bias. out is 64-byte aligned.
typedef void matmul_i8_tile(const uint8_t *block, size_t columns, const uint8_t *const *x, float (*out)[16]);

// Many rows: the weights of a block are unpacked or put in another order once, a piece of the columns at a time that
// stays in the first-level cache, and multiplied as int8 with 4 rows after 4.
//
// A group of 16 columns becomes expanded_group_bytes: 256 int8, then the group scales s of the 16 rows as float32, then
// numbers that sums of products * s begin with. How these lie, and how often they are repeated, is between the expander
// and the tile of an instruction set.
enum {
  expanded_group_bytes = 512,
  expanded_groups = 32,  // of a piece at most: 512 columns
  expanded_rows = 4,
};

// Groups first..<first + count of a block, first a multiple of 4. A group of zeros follows where count is odd.
typedef void matmul_i8_expander(const uint8_t *block, size_t columns, size_t first, size_t count, uint8_t *piece);

// out[i][r] += the products of a piece of `groups` groups, an even number, with the values x[i] and their scales.
// Row scales are left to the loop around. out is 64-byte aligned.
typedef void matmul_i8_expanded_tile(const uint8_t *piece, size_t groups, const uint8_t *const *x,
                                     const uint8_t *const *scales, float (*out)[16]);

// The micro-kernels of an instruction set for one code, for 8, 4, 2 and 1 activation rows; 1 must be there.
typedef struct {
  matmul_i8_tile *tiles[4];
  matmul_i8_expander *expand;         // may be absent
  matmul_i8_expanded_tile *expanded;
} matmul_i8_set;

// Rows that stay in the second-level cache while all blocks go by.
enum { matmul_i8_stay = 64 };

// So many rows are worth expanding a block for.
enum { matmul_i8_worth_expanding = 8 };

// One activation row is bound by memory: ask for `lines` lines of 64 bytes this far ahead, into the second-level
// cache. On an EPYC one core reads 20 GB/s with it and 10 without. Past the last block nothing happens.
enum { matmul_i8_ahead = 12288 };

static inline __attribute__((always_inline)) void matmul_i8_prefetch(const uint8_t *at, size_t lines) {
  uintptr_t ahead = (uintptr_t)at + matmul_i8_ahead;
#pragma unroll
  for (size_t l = 0; l < lines; l++) __builtin_prefetch((const void *)(ahead + l * 64), 0, 2);
}

static inline void matmul_i8_store(const float *values, const vl2_matrix *matrix, size_t block,
                                   const float *bias, float *y) {
  size_t first = block * 16, left = matrix->rows - first, count = left < 16 ? left : 16;
  if (count == 16 && bias == NULL) {
    memcpy(y + first, values, 64);
  } else {
    for (size_t r = 0; r < count; r++) y[first + r] = bias ? values[r] + bias[first + r] : values[r];
  }
}

// Rows i..<end of x, except the last few that do not fill a tile, with one expanded block. Returns the first row that
// is left.
static inline size_t matmul_i8_expanded(const matmul_i8_set *set, const vl2_matrix *matrix, size_t b, const uint8_t *x,
                                        size_t x_step, const uint32_t *index, size_t begin, size_t end,
                                        const float *bias, float *y, size_t y_stride) {
  _Alignas(64) uint8_t piece[expanded_groups * expanded_group_bytes];
  _Alignas(64) float out[matmul_i8_stay][16];
  const uint8_t *block = matrix->blocks + b * matrix->block_step, *rows[expanded_rows], *scales[expanded_rows];
  size_t columns = matrix->columns, groups = (columns + 15) / 16;
  size_t count = (end - begin) / expanded_rows * expanded_rows;
  memset(out, 0, count * sizeof *out);
  for (size_t g = 0; g < groups; g += expanded_groups) {
    size_t part = groups - g < expanded_groups ? groups - g : expanded_groups;
    set->expand(block, columns, g, part, piece);
    for (size_t i = 0; i < count; i += expanded_rows) {
      for (size_t j = 0; j < expanded_rows; j++) {
        const uint8_t *row = x + (index ? index[begin + i + j] : begin + i + j) * x_step;
        rows[j] = row + g * 16;
        scales[j] = row + quantized_scales(columns) + g * 2;
      }
      set->expanded(piece, (part + 1) / 2 * 2, rows, scales, out + i);
    }
  }
  const uint8_t *at = block + (matrix->code == VL2_CODE_Q4 ? q4_row_scales(columns) : i8_row_scales(columns));
  float row_scales[16];
  for (size_t r = 0; r < 16; r++) row_scales[r] = float_of_bf16(load_u16(at + r * 2));
  for (size_t i = 0; i < count; i++) {
    for (size_t r = 0; r < 16; r++) out[i][r] *= row_scales[r];
    matmul_i8_store(out[i], matrix, b, bias, y + (begin + i) * y_stride);
  }
  return begin + count;
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
      size_t size = 8, which = 0, i = begin;
      if (set->expand && end - begin >= matmul_i8_worth_expanding) {
        i = matmul_i8_expanded(set, matrix, b, x, x_step, index, begin, end, bias, y, y_stride);
      }
      for (; i < end; i += size) {
        while (end - i < size || set->tiles[which] == NULL) {
          size /= 2;
          which++;
        }
        for (size_t j = 0; j < size; j++) rows[j] = x + (index ? index[i + j] : i + j) * x_step;
        set->tiles[which](block, matrix->columns, rows, out);
        for (size_t j = 0; j < size; j++) matmul_i8_store(out[j], matrix, b, bias, y + (i + j) * y_stride);
      }
    }
  }
}

// The function that a table of kernels holds, from the sets for Q4 and I8.
#define MATMUL_I8_FUNCTION(name, q4_set, i8_set)                                                              \
  static void name(const vl2_matrix *matrix, size_t first_block, size_t last_block, const uint8_t *x,         \
                   size_t x_step, const uint32_t *index, size_t count, const float *bias, float *y,           \
                   size_t y_stride) {                                                                         \
    matmul_i8_blocks(matrix->code == VL2_CODE_Q4 ? &(q4_set) : &(i8_set), matrix, first_block, last_block, x, \
                     x_step, index, count, bias, y, y_stride);                                                \
  }

matmul_i8_tile vl2_matmul_q4_i8_1x16_portable, vl2_matmul_i8_i8_1x16_portable;

#if defined(__x86_64__)
matmul_i8_tile vl2_matmul_q4_i8_1x16_avx2, vl2_matmul_i8_i8_1x16_avx2;
matmul_i8_tile vl2_matmul_q4_i8_2x16_avx2, vl2_matmul_i8_i8_2x16_avx2;
matmul_i8_tile vl2_matmul_q4_i8_4x16_avx2, vl2_matmul_i8_i8_4x16_avx2;
matmul_i8_tile vl2_matmul_q4_i8_1x16_avx512vnni, vl2_matmul_i8_i8_1x16_avx512vnni;
matmul_i8_tile vl2_matmul_q4_i8_2x16_avx512vnni, vl2_matmul_i8_i8_2x16_avx512vnni;
matmul_i8_tile vl2_matmul_q4_i8_4x16_avx512vnni, vl2_matmul_i8_i8_4x16_avx512vnni;
matmul_i8_tile vl2_matmul_q4_i8_8x16_avx512vnni, vl2_matmul_i8_i8_8x16_avx512vnni;
#elif defined(__aarch64__)
matmul_i8_tile vl2_matmul_q4_i8_1x16_neon, vl2_matmul_i8_i8_1x16_neon;
matmul_i8_tile vl2_matmul_q4_i8_2x16_neon;
matmul_i8_tile vl2_matmul_q4_i8_1x16_dotprod, vl2_matmul_i8_i8_1x16_dotprod;
matmul_i8_tile vl2_matmul_q4_i8_2x16_dotprod, vl2_matmul_i8_i8_2x16_dotprod;
matmul_i8_tile vl2_matmul_q4_i8_4x16_dotprod, vl2_matmul_i8_i8_4x16_dotprod;
matmul_i8_expander vl2_expand_q4_neon, vl2_expand_i8_neon, vl2_expand_q4_i8mm, vl2_expand_i8_i8mm;
matmul_i8_expanded_tile vl2_matmul_q4x8_i8_4x16_neon, vl2_matmul_q4x8_i8_4x16_dotprod;
matmul_i8_expanded_tile vl2_matmul_i8x8_i8_4x16_dotprod;
matmul_i8_expanded_tile vl2_matmul_q4x8_i8_4x16_i8mm, vl2_matmul_i8x8_i8_4x16_i8mm;
#endif

#endif
