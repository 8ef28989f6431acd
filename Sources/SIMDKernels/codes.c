// The codes as such: how large a block is, and what a packed number means.

#include "SIMDKernels.h"
#include "layout.h"

#pragma STDC FP_CONTRACT OFF

// Denser around zero, and not symmetric: a scale may be negative, so either side fits a group's longer tail.
const int8_t vl2_q4_codebook[16] = {-127, -106, -83, -65, -49, -34, -21, -9, 3, 14, 26, 38, 52, 67, 86, 112};

size_t vl2_block_bytes(uint32_t code, size_t columns) {
  switch (code) {
    case VL2_CODE_F32: return columns * 64;
    case VL2_CODE_BF16: return (columns * 32 + 63) / 64 * 64;
    case VL2_CODE_I8: return i8_lines(columns) + (columns + 15) / 16 * 256;
    default: return q4_lines(columns) + (columns + 15) / 16 * 128;
  }
}

size_t vl2_quantized_row_bytes(size_t columns) {
  size_t padded = quantized_columns(columns);
  return (padded + padded / 32 * 4 + padded / 16 * 4 + 63) / 64 * 64;
}

double vl2_encode_block(uint32_t code, const float *weights, size_t stride, size_t rows, size_t columns,
                        uint8_t *block, double *energy) {
  return vl2_kernels_active()->encode_block(code, weights, stride, rows, columns, block, energy);
}

void vl2_encode_weighted(uint32_t code, const float *weights, size_t stride, size_t rows, size_t columns,
                         const float *importance, uint8_t *block, vl2_code_error *error) {
  vl2_kernels_active()->encode_weighted(code, weights, stride, rows, columns, importance, block, error);
}

void vl2_decode_row(const vl2_matrix *matrix, size_t row, float *out) {
  size_t columns = matrix->columns, lane = row % 16;
  const uint8_t *block = matrix->blocks + row / 16 * matrix->block_step;
  switch (matrix->code) {
    case VL2_CODE_F32:
      for (size_t k = 0; k < columns; k++) memcpy(&out[k], block + k * 64 + lane * 4, 4);
      break;
    case VL2_CODE_BF16:
      for (size_t k = 0; k < columns; k++) out[k] = float_of_bf16(load_u16(block + k * 32 + lane * 2));
      break;
    case VL2_CODE_I8: {
      float row_scale = float_of_bf16(load_u16(block + i8_row_scales(columns) + lane * 2));
      const uint8_t *lines = block + i8_lines(columns);
      for (size_t k = 0; k < columns; k++) {
        int scale = block[k / 32 * 16 + lane];
        int code = (int8_t)lines[k / 4 * 64 + lane * 4 + k % 4];
        out[k] = row_scale * (float)(scale * code);
      }
      break;
    }
    default: {
      float row_scale = float_of_bf16(load_u16(block + q4_row_scales(columns) + lane * 2));
      const uint8_t *lines = block + q4_lines(columns);
      for (size_t k = 0; k < columns; k++) {
        int byte = lines[k / 8 * 64 + lane * 4 + k % 4];
        int code = vl2_q4_codebook[k % 8 < 4 ? byte & 15 : byte >> 4];
        out[k] = row_scale * (float)(q4_scale(block, k / 16, lane) * code);
      }
      break;
    }
  }
}

void vl2_widen_bf16(const uint16_t *in, size_t count, float *out) {
  for (size_t i = 0; i < count; i++) out[i] = float_of_bf16(in[i]);
}

void vl2_widen_f16(const uint16_t *in, size_t count, float *out) {
  for (size_t i = 0; i < count; i++) {
    uint32_t magnitude = in[i] & 0x7FFFu, sign = (uint32_t)(in[i] & 0x8000u) << 16;
    // Times 2^112 moves the exponent from binary16's bias to float32's, subnormals included, and is exact.
    uint32_t bits = bits_of_float(float_of_bits(magnitude << 13) * 0x1p112f);
    if (magnitude >= 0x7C00u) bits |= 0x7F800000u;
    out[i] = float_of_bits(bits | sign);
  }
}
