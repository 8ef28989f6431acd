// Where the parts of a block of 16 rows lie. docs/FORMAT.md says the same in words.

#ifndef LAYOUT_H
#define LAYOUT_H

#include <stdint.h>
#include <string.h>

#include "SIMDKernels.h"

// Q4: 48 bytes of scales for 64 columns, 16 row scales, padding, then 128 bytes for 16 columns.
static inline size_t q4_row_scales(size_t columns) { return (columns + 63) / 64 * 48; }
static inline size_t q4_lines(size_t columns) { return (q4_row_scales(columns) + 32 + 63) / 64 * 64; }

// I8: 16 bytes of scales for 32 columns, 16 row scales, padding, then 256 bytes for 16 columns.
static inline size_t i8_row_scales(size_t columns) { return (columns + 31) / 32 * 16; }
static inline size_t i8_lines(size_t columns) { return (i8_row_scales(columns) + 32 + 63) / 64 * 64; }

static inline float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline uint32_t bits_of_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline float float_of_bf16(uint16_t half) { return float_of_bits((uint32_t)half << 16); }

static inline float load_f32(const uint8_t *at) {
  float value;
  memcpy(&value, at, sizeof value);
  return value;
}

static inline uint16_t load_u16(const uint8_t *at) {
  uint16_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

// The scale of group `group` (16 columns) of row `row` in the head of a Q4 block.
static inline int q4_scale(const uint8_t *head, size_t group, size_t row) {
  const uint8_t *bytes = head + group / 4 * 48 + row;
  unsigned b0 = bytes[0], b1 = bytes[16], b2 = bytes[32], value;
  switch (group % 4) {
    case 0: value = b0 & 63; break;
    case 1: value = b1 & 63; break;
    case 2: value = b2 & 63; break;
    default: value = b0 >> 6 | (b1 >> 6) << 2 | (b2 >> 6) << 4; break;
  }
  return (int)value - 32;
}

// The parts of a quantised row of P = columns rounded up to 32 values.
static inline size_t quantized_columns(size_t columns) { return (columns + 31) / 32 * 32; }
static inline size_t quantized_scales(size_t columns) { return quantized_columns(columns); }
static inline size_t quantized_offsets(size_t columns) { return quantized_columns(columns) / 8 * 9; }

// The parts of a block of keys and values (SIMDKernels.h).
static inline size_t key_bytes_of_16(size_t key_dim) { return (key_dim + 3) / 4 * 64; }
static inline size_t key_scales(size_t key_dim) { return 2 * key_bytes_of_16(key_dim); }
static inline size_t values_of_32(size_t key_dim) { return key_scales(key_dim) + 128; }
static inline size_t value_scales(size_t key_dim, size_t value_dim) {
  return values_of_32(key_dim) + (value_dim + 15) / 16 * 512;
}

#endif
