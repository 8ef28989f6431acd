// Lines of 64 int8, 4 columns of 16 lanes each, times rows of int8, for vectors of 16 lanes. attention_i8.h includes it.
//
// Before that come dot4, which adds to lane i the products of the bytes 4 i ... 4 i + 3 of a line of 64 with four int8
// values, where DOT_BIAS was added to the line's bytes; and dot4_weights, for four values of 0...127 and no bias. With
// DOT_SETTLE(sum) sums and what they add up to are kept in registers: they must all be complete after each line, and
// nothing is loaded earlier. Compilers, told nothing, load codes ahead until sums are stored.

#pragma once

#ifndef DOT_SETTLE
#define DOT_SETTLE(sum)
#define DOT_SETTLED
#else
#define DOT_SETTLED __asm__ volatile("" ::: "memory")
#endif

// sums[q * count + i] += lines[i][0..<lines] . the codes of row q from `column` on; `step` bytes lie between lines[i].
LANES_INLINE void dot_lines(i32x16 *sums, const uint8_t *at, size_t step, size_t count, size_t lines,
                            const dot_rows *rows, int weights, size_t queries, size_t column) {
#pragma unroll
  for (size_t l = 0; l < lines; l++) {
#pragma unroll
    for (size_t i = 0; i < count; i++) {
      i8x64 line;
      memcpy(&line, at + i * step + l * 64, sizeof line);
      if (!weights) line ^= (int8_t)DOT_BIAS;
#pragma unroll
      for (size_t q = 0; q < queries; q++) {
        int32_t four;
        memcpy(&four, rows->codes + q * rows->columns + column + l * 4, sizeof four);
        i32x16 *sum = sums + q * count + i;
        *sum = weights ? dot4_weights(*sum, line, four) : dot4(*sum, line, four);
      }
    }
#pragma unroll
    for (size_t s = 0; s < queries * count; s++) DOT_SETTLE(sums[s]);
    DOT_SETTLED;
  }
}

// totals += the integer sums of group `group` of each row times its scale.
LANES_INLINE void dot_group(f32x16 *totals, const uint8_t *at, size_t step, size_t count, size_t lines,
                            const dot_rows *rows, int weights, size_t queries, size_t group) {
  i32x16 sums[16];
  size_t groups = rows->columns / 32;
#pragma unroll
  for (size_t q = 0; q < queries; q++) {
#pragma unroll
    for (size_t i = 0; i < count; i++) sums[q * count + i] = weights ? 0 : rows->begins[q * groups + group];
  }
  if (lines == 8) {
    dot_lines(sums, at, step, count, 8, rows, weights, queries, group * 32);
  } else {
    for (size_t l = 0; l < lines; l++) {
      dot_lines(sums, at + l * 64, step, count, 1, rows, weights, queries, group * 32 + l * 4);
    }
  }
#pragma unroll
  for (size_t q = 0; q < queries; q++) {
#pragma unroll
    for (size_t i = 0; i < count; i++) {
      f32x16 *total = &totals[q * count + i];
      *total = lanes_fma(__builtin_convertvector(sums[q * count + i], f32x16), rows->scales[q * groups + group], *total);
    }
  }
}

// totals[q * count + i] = the sum over groups of 32 columns, in order, of the integer sums times the scale of row q, for
// the lines at + i * step. A group has 8 of the `lines` lines (the last one those that are left) and begins group_step
// bytes after the one before it. With `ahead`, each group asks for one that comes later.
LANES_INLINE void dot_groups(f32x16 *totals, const uint8_t *at, size_t group_step, size_t step, size_t count,
                             size_t lines, const dot_rows *rows, int weights, size_t queries, int ahead) {
#pragma unroll
  for (size_t t = 0; t < queries * count; t++) totals[t] = 0.0f;
  size_t groups = lines / 8, g = 0;
  for (; g < groups; g++) {
    const uint8_t *group = at + g * group_step;
    if (ahead && g + attention_i8_ahead < groups) attention_i8_prefetch(group, group_step, count * 512);
    dot_group(totals, group, step, count, 8, rows, weights, queries, g);
  }
  if (lines % 8) dot_group(totals, at + g * group_step, step, count, lines % 8, rows, weights, queries, g);
}
