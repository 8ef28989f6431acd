#if defined(__x86_64__)

#include "matmul_avx512vnni.h"

// Integer sums are complete here, and nothing is loaded early. Compilers, told nothing, load activations ahead until sums
// no longer fit the registers; a processor finds products to do at once by itself.
INLINE_AVX512VNNI void finish_line(__m512i *ones, __m512i *others) {
  __asm__ volatile(""
                   : "+v"(ones[0]), "+v"(ones[1]), "+v"(ones[2]), "+v"(ones[3]), "+v"(others[0]), "+v"(others[1]),
                     "+v"(others[2]), "+v"(others[3])
                   :
                   : "memory");
}

// The products of 4 rows with one group of each of two pieces; values and offsets say where the group's are in a row.
INLINE_AVX512VNNI void group(const uint8_t *piece, const uint8_t *const *x, size_t values, size_t offsets,
                             __m512i *ones, __m512i *others) {
#pragma unroll
  for (size_t i = 0; i < 4; i++) ones[i] = others[i] = broadcast_u32(x[i] + offsets);
#pragma unroll
  for (size_t l = 0; l < 4; l++) {
    finish_line(ones, others);
    __m512i weights = _mm512_load_si512(piece + l * 64);
    __m512i more = _mm512_load_si512(piece + sizeof(matmul_i8_piece) + l * 64);
#pragma unroll
    for (size_t i = 0; i < 4; i++) {
      __m512i four = broadcast_u32(x[i] + values + l * 4);
      ones[i] = _mm512_dpbusd_epi32(ones[i], weights, four);
      others[i] = _mm512_dpbusd_epi32(others[i], more, four);
    }
  }
  finish_line(ones, others);
}

INLINE_AVX512VNNI __m512 load_scales(const uint8_t *group) { return _mm512_load_ps(group + 256); }

// An integer sum of a group is below 2^18, its product with a scale below 2^23, and two of them together below 2^24:
// float32 holds all of them exactly, and fused multiply-adds do what integers would.
TARGET_AVX512VNNI void vl2_matmul_q4x8_i8_4x32_avx512vnni(const matmul_i8_piece *pieces, size_t first,
                                                          size_t groups, size_t columns, const uint8_t *const *x,
                                                          float (*const out[2])[16]) {
  const uint8_t *piece = pieces[0], *rows[4] = {x[0], x[1], x[2], x[3]};
  __m512 ones[4], others[4];
#pragma unroll
  for (size_t i = 0; i < 4; i++) {
    ones[i] = _mm512_load_ps(out[0][i]);
    others[i] = _mm512_load_ps(out[1][i]);
  }
  size_t values = first * 16, scales = quantized_scales(columns) + first * 2;
  size_t offsets = quantized_offsets(columns) + first * 4, end = values + groups * 16;
  for (; values < end; values += 32, scales += 4, offsets += 8, piece += 2 * expanded_group_bytes) {
    const uint8_t *second = piece + expanded_group_bytes;
    __m512i products[4], more[4];
    __m512 sums[4], more_sums[4];
    group(piece, rows, values, offsets, products, more);
    __m512 scale = load_scales(piece), other_scale = load_scales(piece + sizeof(matmul_i8_piece));
#pragma unroll
    for (size_t i = 0; i < 4; i++) {
      sums[i] = _mm512_mul_ps(_mm512_cvtepi32_ps(products[i]), scale);
      more_sums[i] = _mm512_mul_ps(_mm512_cvtepi32_ps(more[i]), other_scale);
    }
    group(second, rows, values + 16, offsets + 4, products, more);
    scale = load_scales(second);
    other_scale = load_scales(second + sizeof(matmul_i8_piece));
#pragma unroll
    for (size_t i = 0; i < 4; i++) {
      sums[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products[i]), scale, sums[i]);
      more_sums[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(more[i]), other_scale, more_sums[i]);
    }
#pragma unroll
    for (size_t i = 0; i < 4; i++) {
      __m512 row = _mm512_set1_ps(load_f32(rows[i] + scales));
      ones[i] = _mm512_fmadd_ps(sums[i], row, ones[i]);
      others[i] = _mm512_fmadd_ps(more_sums[i], row, others[i]);
    }
  }
#pragma unroll
  for (size_t i = 0; i < 4; i++) {
    _mm512_store_ps(out[0][i], ones[i]);
    _mm512_store_ps(out[1][i], others[i]);
  }
}

#endif
