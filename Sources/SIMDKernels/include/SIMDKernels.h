// Arithmetic on packed weights and rows.
//
// This library knows no model and no file, allocates nothing, and never fails: callers check shapes.
// Every function exists once in portable C, which defines what is right, and again for an instruction
// set where that is faster. All of them give the same bits: multiply-adds are fused where the definition says so and
// nowhere else, and every reduction has one fixed order, whatever the instruction set, the number of rows
// handed over at once, or the number of threads that share the work.

#ifndef SIMD_KERNELS_H
#define SIMD_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resample.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---------------------------------------------------------------------------------------------- codes

// How a matrix is stored. All codes cut a matrix [rows, columns] into blocks of 16 rows (the last one is
// padded with zero rows); a block is a multiple of 64 bytes long and is laid out so that the 16 rows are the
// 16 lanes of a vector. docs/FORMAT.md specifies every byte.
//
//   F32   line k: 16 float32, one per row.
//   BF16  line k: 16 bfloat16, one per row; zero padding up to a multiple of 64 bytes.
//   I8    head: ceil(columns / 32) lines of 16 uint8 group scales, 16 bfloat16 row scales, zero padding to a
//         multiple of 64 bytes. Then ceil(columns / 16) * 4 lines of 64 bytes, 16 rows x 4 columns:
//         byte 4 * r + j of line l holds column 4 * l + j of row r, as int8 in -127...127.
//         weight = row_scale * (group_scale * code)
//   Q4    head: for every 64 columns 48 bytes that hold 4 x 16 six-bit scales (see below), 16 bfloat16 row
//         scales, zero padding to a multiple of 64 bytes. Then ceil(columns / 16) * 2 lines of 64 bytes,
//         16 rows x 8 columns: byte 4 * r + j of line l holds column 8 * l + j in its low and column
//         8 * l + 4 + j in its high four bits, as an index into vl2_q4_codebook.
//         weight = row_scale * (group_scale * codebook[index])
//         A group is 16 columns of one row; group g of a row has its scale in the 48 bytes of superblock
//         g / 4. With b0, b1, b2 the bytes r, 16 + r, 32 + r of those 48, the six-bit values are
//         g % 4 == 0: b0 & 63; 1: b1 & 63; 2: b2 & 63; 3: b0 >> 6 | (b1 >> 6) << 2 | (b2 >> 6) << 4;
//         and the scale is that value - 32, in -31...31.
//
// row_scale * (integer) is one float32 product. Padded columns and rows hold codes whose weight is 0 or that
// meet an activation of 0.
enum { VL2_CODE_F32 = 0, VL2_CODE_BF16 = 1, VL2_CODE_I8 = 2, VL2_CODE_Q4 = 3 };

extern const int8_t vl2_q4_codebook[16];

// A packed matrix, read in place. Block b begins at blocks + b * block_step, 64-byte aligned; the step is
// larger than a block where two matrices alternate (gate and up).
typedef struct {
  const uint8_t *blocks;
  size_t block_step;
  uint32_t code;
  uint32_t rows;
  uint32_t columns;
} vl2_matrix;

// Bytes of one block of 16 rows.
size_t vl2_block_bytes(uint32_t code, size_t columns);

// Encode up to 16 rows (float32, row-major, `stride` floats apart; absent ones count as zero) into one block of
// vl2_block_bytes bytes. Same bytes on every machine. Not-a-number and infinite weights must be refused
// before. Returns the sum of squared errors and adds the sum of squared weights to *energy; both are summed
// in a fixed order.
double vl2_encode_block(uint32_t code, const float *weights, size_t stride, size_t rows, size_t columns,
                        uint8_t *block, double *energy);

// Sums of squared errors and of squared weights; the weighted ones count each column by its importance.
typedef struct {
  double error, energy, weighted_error, weighted_energy;
} vl2_code_error;

// The same, with the scales of I8 and Q4 chosen for the smallest weighted squared error: that of each column counts
// importance[column] times. Importance is finite and above 0, around 1. Adds to *error.
void vl2_encode_weighted(uint32_t code, const float *weights, size_t stride, size_t rows, size_t columns,
                         const float *importance, uint8_t *block, vl2_code_error *error);

// Decode one row of a packed matrix to `columns` float32.
void vl2_decode_row(const vl2_matrix *matrix, size_t row, float *out);

// bfloat16 and float16 (IEEE 754 binary16) to float32.
void vl2_widen_bf16(const uint16_t *in, size_t count, float *out);
void vl2_widen_f16(const uint16_t *in, size_t count, float *out);

// -------------------------------------------------------------------------------------- quantised rows

// A row of int8 activations with a scale per 32 values, `vl2_quantized_row_bytes(columns)` long and a multiple
// of 64, with P = columns rounded up to 32:
//   int8    values[P]        zero beyond the last column, -127...127
//   float   scales[P / 32]   value = scale * int8
//   int32   offsets[P / 16]  -128 * the sum of each 16 int8 values, where kernels that hold weights as unsigned
//                            bytes (weight + 128) begin to add
// The scale is amax / 127 of its group (0 for a group of zeros), a value round-half-even(x * (127 / amax)).
// Values that are not finite are treated as 0, and so is a group whose largest value is below 2^-100.
size_t vl2_quantized_row_bytes(size_t columns);

// ---------------------------------------------------------------------------------------------- kernels

// Attention of `queries` query rows of one head over keys and values. Query i (of 0..<queries) sees the first
// min(key_count, visible + i) keys (causal), or all where `causal` is false.
typedef struct {
  const float *query;      // [queries][query_stride], the first key_dim of each are used
  size_t query_stride;
  size_t queries;
  const float *keys;       // blocks of 16 keys: [ceil(key_count / 16)][key_dim][16]; lanes past the last key are finite
  size_t key_block_step;   // floats between blocks of 16 keys
  const float *values;     // [key_count][value_stride], the first value_dim of each are used
  size_t value_stride;
  size_t value_block_step; // not 0: values are in blocks as keys are, [ceil(key_count / 16)][value_dim][16], and
                           // this many floats lie between blocks; value_stride is not used
  size_t key_count;
  size_t key_dim, value_dim;  // any size; rows need no alignment
  bool causal;
  size_t visible;          // keys that query 0 sees, at least 1
  float scale;             // multiplies query . key
  float *out;              // [queries][out_stride]
  size_t out_stride;
  float *scratch;          // vl2_attention_scratch(key_count) floats, 64-byte aligned
} vl2_attention_args;

size_t vl2_attention_scratch(size_t key_count);

// Keys and values of one head as int8, one scale for each key and each value, in blocks of 32 positions, one after the
// other; each is vl2_key_value_block_bytes long, a multiple of 64:
//   int8   keys[2][ceil(key_dim / 4)][16][4]     16 keys by 4 dimensions a line
//   float  key_scales[32]
//   int8   values[ceil(value_dim / 16)][8][16][4]    16 dimensions by 4 positions a line
//   float  value_scales[32]
// A scale is amax / 127, codes are rounded and values that are not finite treated as in a quantised row.
size_t vl2_key_value_block_bytes(size_t key_dim, size_t value_dim);

// Attention over such blocks; see vl2_attention_args. A query is quantised as a row with a scale per 32 values, and so
// are its weights (e^(score - largest) x the scale of a key's value) over every 32 keys.
typedef struct {
  const float *query;
  size_t query_stride;
  size_t queries;
  const uint8_t *blocks;  // 64-byte aligned
  size_t key_count;
  size_t key_dim, value_dim;
  bool causal;
  size_t visible;
  float scale;
  float *out;
  size_t out_stride;
  void *scratch;  // vl2_attention_i8_scratch bytes, 64-byte aligned
} vl2_attention_i8_args;

size_t vl2_attention_i8_scratch(size_t key_count, size_t key_dim);

typedef struct vl2_kernels {
  const char *name;  // "portable", "avx2", "avx512vnni", "neon", "dotprod", "i8mm"

  // vl2_encode_block as this instruction set runs it.
  double (*encode_block)(uint32_t code, const float *weights, size_t stride, size_t rows, size_t columns,
                         uint8_t *block, double *energy);
  // vl2_encode_weighted as this instruction set runs it.
  void (*encode_weighted)(uint32_t code, const float *weights, size_t stride, size_t rows, size_t columns,
                          const float *importance, uint8_t *block, vl2_code_error *error);
  // Adds x^2 of each row, in their order, to the sums of its columns, in float64: rows of `columns` float32,
  // `stride` apart, those that `index` names, or the first `count` where it is NULL.
  void (*add_squares)(const float *x, size_t stride, const uint32_t *index, size_t count, size_t columns,
                      double *sums);

  // [rows][stride] float32 -> quantised rows, out_step bytes apart. group is 32, or 0 for one scale per row
  // (the same scale repeated), which exists to measure what a scale per 32 is worth.
  void (*quantize_rows)(const float *x, size_t stride, size_t rows, size_t columns, size_t group,
                        uint8_t *out, size_t out_step);

  // y[i][r] = sum over columns of matrix[r] * x[i], plus bias[r] where bias is given, for rows r of blocks
  // first_block..<last_block and i in 0..<count. x[i] is the quantised row at x + (index ? index[i] : i) *
  // x_step. y is [count][y_stride]; y[i][r] is written at column r. The code is I8 or Q4.
  // Per 16 rows: integer sums per group times integer group scales, per 32 columns one conversion to float32, which
  // is multiplied by the activation scale and added with one rounding (fused), in column order; times row_scale; plus
  // bias.
  void (*matmul_i8)(const vl2_matrix *matrix, size_t first_block, size_t last_block, const uint8_t *x,
                    size_t x_step, const uint32_t *index, size_t count, const float *bias, float *y,
                    size_t y_stride);

  // y[i][r] = silu(g) * u for the products g and u of x[i] with row r of gate and of up, as matmul_i8 computes them
  // without bias and silu_multiply goes on. Both matrices have the same code and shape. A block of gate and one of up are
  // read in turn, in the order of addresses where they alternate.
  void (*gated_i8)(const vl2_matrix *gate, const vl2_matrix *up, size_t first_block, size_t last_block,
                   const uint8_t *x, size_t x_step, const uint32_t *index, size_t count, float *y, size_t y_stride);

  // The same as matmul_i8 with float32 activations, [rows][x_stride], for every code. y[i][r] is the sum in column order of
  // (decoded weight) * x, each product and each sum rounded to float32.
  // scratch: 16 * columns floats, 64-byte aligned.
  void (*matmul_f32)(const vl2_matrix *matrix, size_t first_block, size_t last_block, const float *x,
                     size_t x_stride, const uint32_t *index, size_t count, const float *bias, float *y,
                     size_t y_stride, float *scratch);

  // The product with rows of the transposed matrix: y[i][c] = sum over r in 0..<rows of
  // matrix[first_row + r][c] * x[i][r], for every code, i in 0..<count and all columns c. x is [count][x_stride],
  // y is [count][y_stride]. Lanes are rows: products are added up block by block, then over the lanes.
  void (*matmul_transposed)(const vl2_matrix *matrix, size_t first_row, size_t rows, const float *x,
                            size_t x_stride, size_t count, float *y, size_t y_stride);

  void (*attention)(const vl2_attention_args *args);

  // Quantises keys and values of one head, [count][stride] each, to positions `first`..<first + count of its blocks.
  // Lines are read and written whole: positions of one block belong to one thread at a time.
  void (*store_key_values)(uint8_t *blocks, size_t first, size_t count, const float *keys, size_t key_stride,
                           size_t key_dim, const float *values, size_t value_stride, size_t value_dim);
  void (*attention_i8)(const vl2_attention_i8_args *args);

  // out may be x. y = weight * (x / sqrt(mean(x^2) + epsilon))
  void (*rms_norm)(const float *x, size_t stride, size_t rows, size_t columns, const float *weight,
                   float epsilon, float *out, size_t out_stride);
  // y = (x - mean) / sqrt(variance + epsilon) * weight + bias
  void (*layer_norm)(const float *x, size_t stride, size_t rows, size_t columns, const float *weight,
                     const float *bias, float epsilon, float *out, size_t out_stride);
  void (*softmax)(float *x, size_t count);              // in place
  void (*sigmoid)(float *x, size_t count);              // in place, 1 / (1 + e^-x)
  void (*gelu_tanh)(float *x, size_t count);            // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
  void (*gelu_erf)(float *x, size_t count);             // 0.5 x (1 + erf(x / sqrt 2))
  void (*silu_multiply)(const float *gate, const float *up, float *out, size_t count);  // silu(gate) * up
  void (*add)(float *x, const float *y, size_t count);  // x += y
  void (*add_scaled)(float *x, const float *y, float scale, size_t count);  // x += scale * y
  // Rotary embedding of `heads` heads of `dim`, halves side by side (i pairs with i + dim / 2), in place;
  // cosine and sine hold dim / 2 values for the row's position.
  void (*rope_halves)(float *x, size_t heads, size_t dim, const float *cosine, const float *sine);
  // The same where pairs lie side by side (2i pairs with 2i + 1), for heads that are `stride` floats apart.
  void (*rope_pairs)(float *x, size_t heads, size_t stride, size_t dim, const float *cosine, const float *sine);
  size_t (*argmax)(const float *x, size_t count);       // the first of the largest; NaN never wins

  // Multiply-adds in registers and nothing else, int8 into int32 and float32: the most that this instruction set does,
  // for measuring. `rounds` rounds of them; returns how many multiply-adds those were.
  uint64_t (*peak_i8)(size_t rounds);
  uint64_t (*peak_f32)(size_t rounds);
} vl2_kernels;

// The kernels in use: the best that this processor runs, or the one that the environment variable VL2_ISA
// names, chosen once before main. A VL2_ISA that this processor cannot run is reported by
// vl2_kernels_refused, and the best is used.
const vl2_kernels *vl2_kernels_active(void);
const char *vl2_kernels_refused(void);  // NULL, or the value of VL2_ISA that could not be used

// All kernels that this processor can run, portable first; NULL past the last. For tests and benchmarks.
const vl2_kernels *vl2_kernels_at(size_t index);

// A way of reading memory. Which one is fastest is found by trying them.
typedef struct {
  const char *name;
  // Reads `bytes` bytes, a multiple of 1024, from a multiple of 64 on. Returns a sum of all of them, so that no compiler
  // leaves the reading out.
  uint64_t (*read)(const uint8_t *at, size_t bytes);
} vl2_reader;

// The ways that there are; NULL past the last.
const vl2_reader *vl2_reader_at(size_t index);

#ifdef __cplusplus
}
#endif
#endif
