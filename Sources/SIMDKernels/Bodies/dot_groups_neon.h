// What dot_groups.h does, for arm64 by the products of matmul_sdot.h or matmul_smull.h, one of which comes before it: a few
// lanes at a time, so that all sums stay in registers. The bits are the same.

#pragma once

// sums[(q * count + i) * quads + k] += the products of 16 * halves columns of group g, at `group`, for lanes 4 * k...
LANES_INLINE void dot_quads_group(float32x4_t *sums, const uint8_t *group, size_t step, size_t count, size_t halves,
                                  const dot_rows *rows, size_t queries, size_t quads, size_t g) {
  integer_sums products[8];
#pragma unroll
  for (size_t h = 0; h < halves; h++) {
    activations x[4];
#pragma unroll
    for (size_t q = 0; q < queries; q++) {
      x[q] = load_activations((const uint8_t *)rows->codes + q * rows->columns + g * 32 + h * 16);
    }
#pragma unroll
    for (size_t i = 0; i < count * quads; i++) {
      int8x16_t line[4];
      i8_load(group + i / quads * step + i % quads * 16 + h * 256, line);
#pragma unroll
      for (size_t q = 0; q < queries; q++) {
        integer_sums *sum = &products[q * count * quads + i];
        *sum = add_products(h == 0 ? begin_sums() : *sum, line, x[q]);
      }
    }
  }
#pragma unroll
  for (size_t s = 0; s < queries * count * quads; s++) {
    float scale = rows->scales[s / (count * quads) * (rows->columns / 32) + g];
    float32x4_t value = vsubq_f32(end_sums(products[s]), vdupq_n_f32(neon_begin));
    sums[s] = vfmaq_n_f32(sums[s], value, scale);
    NEON_SETTLE(sums[s]);
  }
}

// sums[(q * count + i) * quads + k] for lanes 4 * (first + k)... of a line. Where fewer than 16 columns are left, what lies
// behind the lines is read too; it meets codes of 0.
LANES_INLINE void dot_quads(float32x4_t *sums, const uint8_t *at, size_t group_step, size_t step, size_t count,
                            size_t lines, const dot_rows *rows, size_t queries, size_t first, size_t quads, int ahead) {
#pragma unroll
  for (size_t s = 0; s < queries * count * quads; s++) sums[s] = vdupq_n_f32(0);
  size_t groups = lines / 8, g = 0;
  for (; g < groups; g++) {
    const uint8_t *group = at + g * group_step;
    if (ahead && g + attention_i8_ahead < groups) attention_i8_prefetch(group, group_step, count * 512);
    dot_quads_group(sums, group + first * 16, step, count, 2, rows, queries, quads, g);
  }
  if (lines % 8) {
    const uint8_t *group = at + g * group_step + first * 16;
    if (lines % 8 <= 4) {
      dot_quads_group(sums, group, step, count, 1, rows, queries, quads, g);
    } else {
      dot_quads_group(sums, group, step, count, 2, rows, queries, quads, g);
    }
  }
}

LANES_INLINE void dot_quads_store(f32x16 *totals, size_t first, size_t quads, size_t count, const float32x4_t *sums) {
#pragma unroll
  for (size_t i = 0; i < count; i++) {
    __builtin_memcpy((char *)&totals[i] + first * 16, &sums[i * quads], quads * 16);
  }
}

LANES_INLINE void dot_groups(f32x16 *totals, const uint8_t *at, size_t group_step, size_t step, size_t count,
                             size_t lines, const dot_rows *rows, int weights, size_t queries, int ahead) {
  (void)weights;
  float32x4_t sums[8];
  if (queries > 1 && queries * 2 <= sums_held) {
    // `count` is 1 here. Lines stay in the first-level cache for the other half of the lanes.
#pragma unroll
    for (size_t first = 0; first < 4; first += 2) {
      dot_quads(sums, at, group_step, step, count, lines, rows, queries, first, 2, ahead);
      dot_quads_store(totals, first, 2, queries * count, sums);
    }
    return;
  }
#pragma unroll
  for (size_t q = 0; q < queries; q++) {
    dot_rows row = *rows;
    row.codes += q * rows->columns;
    row.scales += q * (rows->columns / 32);
    const size_t some = count < sums_held / 4 ? count : sums_held / 4;
#pragma unroll
    for (size_t i = 0; i < count; i += some) {
      dot_quads(sums, at + i * step, group_step, step, some, lines, &row, 1, 0, 4, ahead);
      dot_quads_store(totals + q * count + i, 0, 4, some, sums);
    }
  }
}
