// What the matmul_i8 micro-kernels share: how they are called, and the loops around them.
//
// A micro-kernel is one file, named for the weights' code, the activations, the tile (activation rows x weight
// rows) and the instruction set. It reads one block of weights in place and a few quantised rows, and writes 16
// results for each of them.

#ifndef MATMUL_I8_H
#define MATMUL_I8_H

#include "../layout.h"

// Loops are compiled for the instruction set of whoever uses them.
#define MATMUL_I8_INLINE static inline __attribute__((always_inline))

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

// The same for two blocks, whose pieces are one behind the other: out[b][i][r] += the products of piece b, the groups
// from `first` on, with the whole quantised row x[i] of `columns` columns.
typedef uint8_t matmul_i8_piece[(expanded_groups + 1) * expanded_group_bytes];
typedef void matmul_i8_expanded_pair(const matmul_i8_piece *pieces, size_t first, size_t groups, size_t columns,
                                     const uint8_t *const *x, float (*const out[2])[16]);

// The micro-kernels of an instruction set for one code, for 8, 4, 2 and 1 activation rows; 1 must be there.
typedef struct {
  matmul_i8_tile *tiles[4];
  matmul_i8_expander *expand;         // may be absent
  matmul_i8_expanded_tile *expanded;  // either this
  matmul_i8_expanded_pair *pair;      // or this
} matmul_i8_set;

// Rows that stay in the second-level cache while all blocks go by.
#if defined(__x86_64__)
enum { matmul_i8_stay = 128 };
#else
enum { matmul_i8_stay = 64 };
#endif

// So many rows are worth expanding a block, or two, for.
enum { matmul_i8_worth_expanding = 8, matmul_i8_worth_pairing = 16 };

// One activation row is bound by memory: ask for `lines` lines of 64 bytes this far ahead. Past the last block nothing
// happens. On an EPYC one core reads 28 GB/s into the second-level cache and 40, all there is, into the first.
#if defined(__x86_64__)
enum { matmul_i8_ahead = 8192, matmul_i8_level = 3 };
#else
enum { matmul_i8_ahead = 12288, matmul_i8_level = 2 };
#endif

MATMUL_I8_INLINE void matmul_i8_prefetch(const uint8_t *at, size_t lines) {
  uintptr_t ahead = (uintptr_t)at + matmul_i8_ahead;
#pragma unroll
  for (size_t l = 0; l < lines; l++) __builtin_prefetch((const void *)(ahead + l * 64), 0, matmul_i8_level);
}

// Reads the head of a block before the micro-kernel does. A kernel reads a bit of the head whenever it has read some
// lines of codes; a processor that sees memory read in order fetches what comes next, and one that sees a gap of the
// head's size does not (14 GB/s against 29 on an EPYC, before any asking).
MATMUL_I8_INLINE void matmul_i8_read_head(const vl2_matrix *matrix, const uint8_t *block) {
  size_t bytes = matrix->code == VL2_CODE_Q4 ? q4_lines(matrix->columns) : i8_lines(matrix->columns);
  for (size_t at = 0; at < bytes; at += 64) {
    matmul_i8_prefetch(block + at, 1);
    (void)*(const volatile uint8_t *)(block + at);
  }
}

MATMUL_I8_INLINE void matmul_i8_store(const float *values, const vl2_matrix *matrix, size_t block,
                                   const float *bias, float *y) {
  size_t first = block * 16, left = matrix->rows - first, count = left < 16 ? left : 16;
  if (count == 16 && bias == NULL) {
    memcpy(y + first, values, 64);
  } else {
    for (size_t r = 0; r < count; r++) y[first + r] = bias ? values[r] + bias[first + r] : values[r];
  }
}

// What sums of products lack, as vectors, or compilers gather and scatter.
typedef float matmul_i8_lanes __attribute__((ext_vector_type(16)));

MATMUL_I8_INLINE void matmul_i8_scale_rows(float (*out)[16], size_t count, const uint8_t *block, uint32_t code,
                                        size_t columns) {
  const uint8_t *at = block + (code == VL2_CODE_Q4 ? q4_row_scales(columns) : i8_row_scales(columns));
  matmul_i8_lanes scales, *rows = (matmul_i8_lanes *)out;
  for (size_t r = 0; r < 16; r++) scales[r] = float_of_bf16(load_u16(at + r * 2));
  for (size_t i = 0; i < count; i++) rows[i] *= scales;
}

// Scales sums of block b, adds the bias and stores them in rows of y. A whole block goes from register to register.
MATMUL_I8_INLINE void matmul_i8_store_rows(float (*out)[16], size_t count, const vl2_matrix *matrix, size_t b,
                                           const float *bias, float *y, size_t y_stride) {
  const uint8_t *block = matrix->blocks + b * matrix->block_step;
  if (matrix->rows - b * 16 < 16) {
    matmul_i8_scale_rows(out, count, block, matrix->code, matrix->columns);
    for (size_t i = 0; i < count; i++) matmul_i8_store(out[i], matrix, b, bias, y + i * y_stride);
    return;
  }
  size_t columns = matrix->columns;
  const uint8_t *at = block + (matrix->code == VL2_CODE_Q4 ? q4_row_scales(columns) : i8_row_scales(columns));
  matmul_i8_lanes scales, more, *rows = (matmul_i8_lanes *)out;
  for (size_t r = 0; r < 16; r++) scales[r] = float_of_bf16(load_u16(at + r * 2));
  if (bias) memcpy(&more, bias + b * 16, sizeof more);
  for (size_t i = 0; i < count; i++) {
    matmul_i8_lanes result = rows[i] * scales;
    if (bias) result += more;
    memcpy(y + i * y_stride + b * 16, &result, sizeof result);
  }
}

// Rows i..<end of x, except the last few that do not fill a tile, with one expanded block. Returns the first row that
// is left.
MATMUL_I8_INLINE size_t matmul_i8_expanded(const matmul_i8_set *set, const vl2_matrix *matrix, size_t b, const uint8_t *x,
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
  matmul_i8_store_rows(out, count, matrix, b, bias, y + begin * y_stride, y_stride);
  return begin + count;
}

// Rows begin..<end of x with two blocks, expanded: out[b][i] for row begin + i. The last row is multiplied again where a
// tile of 4 is not full. Meanwhile the next two blocks, where there are any, come into the second-level cache.
MATMUL_I8_INLINE void matmul_i8_two_blocks(const matmul_i8_set *set, uint32_t code, size_t columns,
                                        const uint8_t *const block[2], const uint8_t *const next[2], const uint8_t *x,
                                        size_t x_step, const uint32_t *index, size_t begin, size_t end,
                                        float (*out)[matmul_i8_stay][16]) {
  _Alignas(64) matmul_i8_piece pieces[2];
  size_t groups = (columns + 15) / 16, count = end - begin;
  size_t tiles = (count + expanded_rows - 1) / expanded_rows;
  size_t lines = vl2_block_bytes(code, columns) / 64, asked = 0;
  size_t at_once = lines / (tiles * ((groups + expanded_groups - 1) / expanded_groups)) + 1;
  for (size_t b = 0; b < 2; b++) memset(out[b], 0, tiles * expanded_rows * sizeof **out);
  for (size_t g = 0; g < groups; g += expanded_groups) {
    size_t part = groups - g < expanded_groups ? groups - g : expanded_groups;
    for (size_t b = 0; b < 2; b++) set->expand(block[b], columns, g, part, pieces[b]);
    for (size_t i = 0; i < count; i += expanded_rows) {
      for (size_t l = 0; l < at_once && next[0] && asked < lines; l++, asked++) {
        __builtin_prefetch(next[0] + asked * 64, 0, 2);
        __builtin_prefetch(next[1] + asked * 64, 0, 2);
      }
      const uint8_t *rows[expanded_rows];
      for (size_t j = 0; j < expanded_rows; j++) {
        size_t row = begin + (i + j < count ? i + j : count - 1);
        rows[j] = x + (index ? index[row] : row) * x_step;
      }
      set->pair(pieces, g, (part + 1) / 2 * 2, columns, rows, (float(*const[2])[16]){out[0] + i, out[1] + i});
    }
  }
}

MATMUL_I8_INLINE void matmul_i8_blocks(const matmul_i8_set *set, const vl2_matrix *matrix, size_t first_block,
                                    size_t last_block, const uint8_t *x, size_t x_step, const uint32_t *index,
                                    size_t count, const float *bias, float *y, size_t y_stride) {
  _Alignas(64) float out[8][16];
  const uint8_t *rows[8];
  for (size_t begin = 0; begin < count; begin += matmul_i8_stay) {
    size_t end = count - begin < matmul_i8_stay ? count : begin + matmul_i8_stay, b = first_block;
    if (set->pair && end - begin >= matmul_i8_worth_pairing) {
      for (; b < last_block; b += 2) {
        _Alignas(64) float both[2][matmul_i8_stay][16];
        // A last block without another is its own.
        size_t others[2] = {b, b + 1 < last_block ? b + 1 : b};
        const uint8_t *blocks[2], *next[2] = {NULL, NULL};
        for (size_t o = 0; o < 2; o++) {
          blocks[o] = matrix->blocks + others[o] * matrix->block_step;
          if (b + 3 < last_block) next[o] = blocks[o] + 2 * matrix->block_step;
        }
        matmul_i8_two_blocks(set, matrix->code, matrix->columns, blocks, next, x, x_step, index, begin, end, both);
        for (size_t o = 0; o < 1 + (others[1] > b); o++) {
          matmul_i8_store_rows(both[o], end - begin, matrix, others[o], bias, y + begin * y_stride, y_stride);
        }
      }
    }
    for (; b < last_block; b++) {
      const uint8_t *block = matrix->blocks + b * matrix->block_step;
      size_t size = 8, which = 0, i = begin;
      if (set->expanded && end - begin >= matmul_i8_worth_expanding) {
        i = matmul_i8_expanded(set, matrix, b, x, x_step, index, begin, end, bias, y, y_stride);
      }
      for (; i < end; i += size) {
        while (end - i < size || set->tiles[which] == NULL) {
          size /= 2;
          which++;
        }
        for (size_t j = 0; j < size; j++) rows[j] = x + (index ? index[i + j] : i + j) * x_step;
        if (count == 1) matmul_i8_read_head(matrix, block);
        set->tiles[which](block, matrix->columns, rows, out);
        for (size_t j = 0; j < size; j++) matmul_i8_store(out[j], matrix, b, bias, y + (i + j) * y_stride);
      }
    }
  }
}

// Gate and up of one block after the other, so that memory is read in order where they alternate.
MATMUL_I8_INLINE void matmul_i8_gated_blocks(const matmul_i8_set *set, const vl2_matrix *gate, const vl2_matrix *up,
                                          size_t first_block, size_t last_block, const uint8_t *x, size_t x_step,
                                          const uint32_t *index, size_t count, float *y, size_t y_stride,
                                          void (*silu_multiply)(const float *, const float *, float *, size_t)) {
  _Alignas(64) float both[2][matmul_i8_stay][16];
  vl2_matrix gate_block = *gate, up_block = *up;
  gate_block.rows = up_block.rows = 16;
  for (size_t begin = 0; begin < count; begin += matmul_i8_stay) {
    size_t some = count - begin < matmul_i8_stay ? count - begin : matmul_i8_stay;
    const uint8_t *from = index ? x : x + begin * x_step;
    const uint32_t *which = index ? index + begin : NULL;
    for (size_t b = first_block; b < last_block; b++) {
      gate_block.blocks = gate->blocks + b * gate->block_step;
      up_block.blocks = up->blocks + b * up->block_step;
      if (set->pair && some >= matmul_i8_worth_pairing) {
        const uint8_t *blocks[2] = {gate_block.blocks, up_block.blocks}, *next[2] = {NULL, NULL};
        if (b + 1 < last_block) {
          next[0] = blocks[0] + gate->block_step;
          next[1] = blocks[1] + up->block_step;
        }
        matmul_i8_two_blocks(set, gate->code, gate->columns, blocks, next, from, x_step, which, 0, some, both);
        for (size_t o = 0; o < 2; o++) matmul_i8_scale_rows(both[o], some, blocks[o], gate->code, gate->columns);
      } else {
        matmul_i8_blocks(set, &gate_block, 0, 1, from, x_step, which, some, NULL, both[0][0], 16);
        matmul_i8_blocks(set, &up_block, 0, 1, from, x_step, which, some, NULL, both[1][0], 16);
      }
      size_t left = gate->rows - b * 16, columns = left < 16 ? left : 16;
      for (size_t i = 0; i < some; i++) {
        silu_multiply(both[0][i], both[1][i], y + (begin + i) * y_stride + b * 16, columns);
      }
    }
  }
}

// The functions that a table of kernels holds, from the sets for Q4 and I8: `name` and `name`_gated. Bodies/rows.h comes
// before.
#define MATMUL_I8_FUNCTION(name, q4_set, i8_set)                                                              \
  static void name(const vl2_matrix *matrix, size_t first_block, size_t last_block, const uint8_t *x,         \
                   size_t x_step, const uint32_t *index, size_t count, const float *bias, float *y,           \
                   size_t y_stride) {                                                                         \
    matmul_i8_blocks(matrix->code == VL2_CODE_Q4 ? &(q4_set) : &(i8_set), matrix, first_block, last_block, x, \
                     x_step, index, count, bias, y, y_stride);                                                \
  }                                                                                                           \
  static void name##_gated(const vl2_matrix *gate, const vl2_matrix *up, size_t first_block,                  \
                           size_t last_block, const uint8_t *x, size_t x_step, const uint32_t *index,         \
                           size_t count, float *y, size_t y_stride) {                                         \
    matmul_i8_gated_blocks(gate->code == VL2_CODE_Q4 ? &(q4_set) : &(i8_set), gate, up, first_block,          \
                           last_block, x, x_step, index, count, y, y_stride, silu_multiply);                         \
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
matmul_i8_expander vl2_expand_q4_avx512vnni;
matmul_i8_expanded_pair vl2_matmul_q4x8_i8_4x32_avx512vnni;
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
