// Attention of one head over int8 keys and values. Products are those of matmul_i8: int8 with a scale per 32 values,
// summed as integers. Queries are quantised over their dimensions, weights over their keys, so that each is a row of
// activations, and keys and values the rows of a matrix. What a query computes does not depend on the queries beside
// it, nor on keys that it does not see.
//
// Before it is included comes DOT_BIAS, what sums of products with a query begin at for each of its codes, and what
// dot_groups.h or, with DOT_GROUPS_NEON, dot_groups_neon.h needs. DOT_QUERIES queries of the ATTENTION_QUERIES of a tile
// are multiplied by DOT_LINES lines at once: codes of a query that meet several lines are loaded once for them.

#pragma once

#include "../lanes.h"
#include "../layout.h"
#include "attention.h"
#include "quantize.h"

LANES_INLINE f32x16 key_value_load(const float *x, size_t dim, size_t first) {
  return quantize_finite(dim - first >= 16 ? lanes_load(x + first) : lanes_load_some(x + first, dim - first, 0));
}

#ifndef DOT_QUERIES
#define DOT_QUERIES ATTENTION_QUERIES
#define DOT_LINES 1
#endif
_Static_assert(ATTENTION_QUERIES % DOT_QUERIES == 0 && 2 % DOT_LINES == 0, "tiles and blocks have no rest");

typedef struct {
  float scale, inverse;
} row_scale;

LANES_INLINE row_scale scale_of_largest(float largest) {
  row_scale scale = {0, 0};
  if (largest >= 0x1p-100f) scale = (row_scale){largest / 127.0f, 127.0f / largest};
  return scale;
}

LANES_INLINE row_scale key_value_scale(const float *x, size_t dim) {
  f32x16 largest = 0.0f;
  for (size_t d = 0; d < dim; d += 16) largest = lanes_max(lanes_abs(key_value_load(x, dim, d)), largest);
  return scale_of_largest(lanes_largest(largest));
}

// Rows of one head are far from each other, which no processor foresees. Asks for one that is needed later; past the last
// row nothing happens.
LANES_INLINE void row_prefetch(const float *x, size_t row, size_t stride, size_t columns) {
  uintptr_t at = (uintptr_t)x + row * stride * sizeof *x;
  for (size_t i = 0; i < columns * sizeof *x; i += 64) __builtin_prefetch((const void *)(at + i));
}

// Rows between one that is stored and the one that is asked for.
enum { store_ahead = 8 };

static void store_key_values(uint8_t *blocks, size_t first, size_t count, const float *keys, size_t key_stride,
                             size_t key_dim, const float *values, size_t value_stride, size_t value_dim) {
  for (size_t i = 0; i < count; i++) {
    size_t position = first + i, lane = position % 32;
    uint8_t *block = blocks + position / 32 * vl2_key_value_block_bytes(key_dim, value_dim);
    const float *key = keys + i * key_stride, *value = values + i * value_stride;
    row_prefetch(keys, i + store_ahead, key_stride, key_dim);
    row_prefetch(values, i + store_ahead, value_stride, value_dim);

    row_scale scale = key_value_scale(key, key_dim);
    uint8_t *lines = block + lane / 16 * key_bytes_of_16(key_dim) + lane % 16 * 4;
    for (size_t d = 0; d < key_dim; d += 16) {
      i8x16 codes = __builtin_convertvector(lanes_round_int(key_value_load(key, key_dim, d) * scale.inverse), i8x16);
      uint32_t words[4];
      memcpy(words, &codes, sizeof words);
      for (size_t w = 0; w < 4 && d + w * 4 < key_dim; w++) memcpy(lines + (d / 4 + w) * 64, words + w, 4);
    }
    memcpy(block + key_scales(key_dim) + lane * 4, &scale.scale, 4);

    scale = key_value_scale(value, value_dim);
    lines = block + values_of_32(key_dim) + lane / 4 * 64;
    uint32_t shift = lane % 4 * 8;
    for (size_t d = 0; d < value_dim; d += 16) {
      u32x16 codes = (u32x16)lanes_round_int(key_value_load(value, value_dim, d) * scale.inverse), line;
      memcpy(&line, lines + d * 32, sizeof line);
      line = (line & ~(255u << shift)) | ((codes & 255u) << shift);
      memcpy(lines + d * 32, &line, sizeof line);
    }
    memcpy(block + value_scales(key_dim, value_dim) + lane * 4, &scale.scale, 4);
  }
}

// Rows of int8 with a scale per 32: queries, or weights, which are not negative.
typedef struct {
  int8_t *codes;
  float *scales;
  int32_t *begins;  // of the sums of each 32; NULL for weights
  size_t columns;   // a multiple of 32
} dot_rows;

LANES_INLINE dot_rows dot_rows_from(const dot_rows *rows, size_t first) {
  dot_rows rest = *rows;
  rest.codes += first * rows->columns;
  rest.scales += first * (rows->columns / 32);
  if (rest.begins) rest.begins += first * (rows->columns / 32);
  return rest;
}

// Where the parts of the scratch memory lie.
typedef struct {
  float *scores;
  size_t step;  // keys rounded up to 32
  dot_rows queries, weights;
} attention_i8_scratch;

LANES_INLINE uint8_t *dot_rows_at(uint8_t *at, size_t columns, int weights, dot_rows *rows) {
  // 8 rows of columns / 32 floats, as many integers, and columns bytes.
  rows->columns = columns;
  rows->scales = (float *)at;
  rows->begins = weights ? NULL : (int32_t *)(at + columns);
  rows->codes = (int8_t *)(at + columns * (weights ? 1 : 2));
  return at + columns * (weights ? 9 : 10);
}

LANES_INLINE void dot_rows_store(const dot_rows *rows, size_t row, size_t group, f32x32 values) {
  row_scale scale = scale_of_largest(lanes_largest(quantize_larger(values, lanes_splat(0))));
  i32x16 low = lanes_round_int(values.low * scale.inverse), high = lanes_round_int(values.high * scale.inverse);
  i8x16 narrow_low = __builtin_convertvector(low, i8x16), narrow_high = __builtin_convertvector(high, i8x16);
  int8_t *codes = rows->codes + row * rows->columns + group * 32;
  memcpy(codes, &narrow_low, 16);
  memcpy(codes + 16, &narrow_high, 16);
  size_t at = row * (rows->columns / 32) + group;
  rows->scales[at] = scale.scale;
  rows->begins[at] = DOT_BIAS == 0 ? 0 : -DOT_BIAS * __builtin_reduce_add(low + high);
}

// What dot_rows_store does for all groups of `rows` rows of float32, `stride` apart: 16 groups share their divisions and one
// tree of sums. Groups of a row and rows lie one behind the other.
LANES_INLINE void dot_rows_store_all(const dot_rows *to, const float *x, size_t stride, size_t rows, size_t columns) {
  size_t groups = to->columns / 32, all = rows * groups;
  for (size_t first = 0; first < all; first += 16) {
    size_t count = all - first < 16 ? all - first : 16;
    f32x32 values[16];
    f32x16 largest[16];
    for (size_t g = 0; g < 16; g++) largest[g] = 0.0f;
    for (size_t g = 0; g < count; g++) {
      values[g] = quantize_load(x + (first + g) / groups * stride, columns, (first + g) % groups * 32);
      largest[g] = quantize_larger(values[g], largest[g]);
    }
    quantize_scales both = quantize_scales_of(lanes_largest_of_each(largest));
    float inverses[16];
    lanes_store(inverses, both.inverses);
    i32x16 sums[16];
    for (size_t g = 0; g < 16; g++) sums[g] = 0;
    for (size_t g = 0; g < count; g++) {
      int8_t *codes = to->codes + (first + g) * 32;
      sums[g] = quantize_store(values[g].low, inverses[g], codes);
      sums[g] += quantize_store(values[g].high, inverses[g], codes + 16);
    }
    i32x16 begins = -DOT_BIAS * lanes_sum_of_each_int(sums);
    memcpy(to->scales + first, &both.scales, count * sizeof *to->scales);
    memcpy(to->begins + first, &begins, count * sizeof *to->begins);
  }
}

// One query is bound by memory. Asks for `bytes` bytes as far into a block that comes some blocks later.
enum { attention_i8_ahead = 3 };

LANES_INLINE void attention_i8_prefetch(const uint8_t *at, size_t block_bytes, size_t bytes) {
  const uint8_t *ahead = at + attention_i8_ahead * block_bytes;
  for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(ahead + i, 0, 2);
}

#ifdef DOT_GROUPS_NEON
#include "dot_groups_neon.h"
#else
#include "dot_groups.h"
#endif

// Scores of `queries` queries of the tile from `first` on for `count` (1 or 2) times 16 keys of one block.
LANES_INLINE void attention_i8_scores(const vl2_attention_i8_args *a, const attention_i8_scratch *s, size_t first,
                                      size_t queries, const uint8_t *block, size_t half, size_t count,
                                      float *scores) {
  f32x16 totals[16];
  size_t bytes = key_bytes_of_16(a->key_dim), lines = (a->key_dim + 3) / 4;
  dot_rows rows = dot_rows_from(&s->queries, first);
  dot_groups(totals, block + half * bytes, 512, bytes, count, lines, &rows, 0, queries, 0);
#pragma unroll
  for (size_t i = 0; i < count; i++) {
    f32x16 scale = lanes_load((const float *)(block + key_scales(a->key_dim)) + (half + i) * 16) * a->scale;
#pragma unroll
    for (size_t q = 0; q < queries; q++) {
      lanes_store(scores + (first + q) * s->step + (half + i) * 16, totals[q * count + i] * scale);
    }
  }
}

// `chunks` times 16 value dimensions from chunk `first` of `queries` queries of the tile from first_query on.
LANES_INLINE void attention_i8_values(const vl2_attention_i8_args *a, const attention_i8_scratch *s, size_t first_query,
                                      size_t queries, size_t chunks, size_t first, size_t blocks,
                                      const float *factors, float *out) {
  f32x16 totals[16];
  size_t block_bytes = vl2_key_value_block_bytes(a->key_dim, a->value_dim);
  const uint8_t *values = a->blocks + values_of_32(a->key_dim) + first * 512;
  dot_rows rows = dot_rows_from(&s->weights, first_query);
  dot_groups(totals, values, block_bytes, 512, chunks, blocks * 8, &rows, 1, queries, queries == 1);
#pragma unroll
  for (size_t q = 0; q < queries; q++) {
#pragma unroll
    for (size_t c = 0; c < chunks; c++) {
      size_t d = (first + c) * 16, left = a->value_dim - d;
      f32x16 result = totals[q * chunks + c] * factors[first_query + q];
      float *to = out + (first_query + q) * a->out_stride + d;
      if (left >= 16) {
        lanes_store(to, result);
      } else {
        lanes_store_some(to, left, result);
      }
    }
  }
}

// Makes row `row` of the weights from what exponentials() made of its scores: times the scale of the key's values, for
// the keys that a query sees, and zeros up to the end of `blocks` blocks.
LANES_INLINE void attention_i8_weights(const vl2_attention_i8_args *a, const attention_i8_scratch *s, size_t row,
                                       size_t visible, size_t blocks) {
  float *scores = s->scores + row * s->step;
  size_t block_bytes = vl2_key_value_block_bytes(a->key_dim, a->value_dim);
  const uint8_t *value_scale = a->blocks + value_scales(a->key_dim, a->value_dim);
  int8_t *codes = s->weights.codes + row * s->weights.columns;
  float *scales = s->weights.scales + row * (s->weights.columns / 32);
  for (size_t first = 0; first < blocks; first += 16) {
    size_t count = blocks - first < 16 ? blocks - first : 16;
    f32x32 weights[16];
    f32x16 largest[16];
    for (size_t b = 0; b < 16; b++) largest[b] = 0.0f;
    for (size_t b = 0; b < count; b++) {
      size_t key = (first + b) * 32;
      f32x32 seen = {0.0f, 0.0f}, products = {0.0f, 0.0f};
      if (key < visible) {
        // Scales of keys that were never written may be anything. Weights are finite, or their sum is not either.
        seen = quantize_load_raw((const float *)(value_scale + (first + b) * block_bytes), visible - key, 0);
        products = quantize_load_raw(scores, visible, key);
        products.low *= seen.low;
        products.high *= seen.high;
      }
      weights[b] = products;
      largest[b] = lanes_max(products.low, products.high);
    }
    quantize_scales both = quantize_scales_of(lanes_largest_of_each(largest));
    float inverses[16];
    lanes_store(inverses, both.inverses);
    if (count == 16) {
      lanes_store(scales + first, both.scales);
    } else {
      lanes_store_some(scales + first, count, both.scales);
    }
    for (size_t b = 0; b < count; b++) {
      quantize_store(weights[b].low, inverses[b], codes + (first + b) * 32);
      quantize_store(weights[b].high, inverses[b], codes + (first + b) * 32 + 16);
    }
  }
}

LANES_INLINE void attention_i8_tile(const vl2_attention_i8_args *a, const attention_i8_scratch *s, size_t first,
                                    size_t queries) {
  size_t block_bytes = vl2_key_value_block_bytes(a->key_dim, a->value_dim), visible[8];
  for (size_t q = 0; q < queries; q++) {
    size_t seen = a->causal ? a->visible + first + q : a->key_count;
    visible[q] = seen < a->key_count ? seen : a->key_count;
    row_prefetch(a->query, first + queries + q, a->query_stride, a->key_dim);
  }
  const float *query = a->query + first * a->query_stride;
  if (queries == 1) {
    for (size_t d = 0; d < a->key_dim; d += 32) {
      dot_rows_store(&s->queries, 0, d / 32, quantize_load(query, a->key_dim, d));
    }
  } else {
    dot_rows_store_all(&s->queries, query, a->query_stride, queries, a->key_dim);
  }
  size_t blocks = (visible[queries - 1] + 31) / 32;
  for (size_t b = 0; b < blocks; b++) {
    const uint8_t *block = a->blocks + b * block_bytes;
    if (queries == 1) {
      if (b + attention_i8_ahead < blocks) attention_i8_prefetch(block, block_bytes, values_of_32(a->key_dim));
      attention_i8_scores(a, s, 0, 1, block, 0, 2, s->scores + b * 32);
    } else {
      for (size_t q = 0; q < queries; q += DOT_QUERIES) {
        for (size_t half = 0; half < 2; half += DOT_LINES) {
          attention_i8_scores(a, s, q, DOT_QUERIES, block, half, DOT_LINES, s->scores + b * 32);
        }
      }
    }
  }

  // Each step for all queries before the next: within one query each waits for the whole of the step before.
  float largest[8], factors[8];
  for (size_t q = 0; q < queries; q++) largest[q] = largest_of(s->scores + q * s->step, visible[q]);
  for (size_t q = 0; q < queries; q++) {
    factors[q] = 1.0f / exponentials(s->scores + q * s->step, visible[q], largest[q]);
  }
  for (size_t q = 0; q < queries; q++) attention_i8_weights(a, s, q, visible[q], blocks);

  float *out = a->out + first * a->out_stride;
  size_t chunks = (a->value_dim + 15) / 16, c = 0;
  if (queries == 1) {
    for (; c + ATTENTION_QUERIES <= chunks; c += ATTENTION_QUERIES) {
      attention_i8_values(a, s, 0, 1, ATTENTION_QUERIES, c, blocks, factors, out);
    }
    for (; c < chunks; c++) attention_i8_values(a, s, 0, 1, 1, c, blocks, factors, out);
    return;
  }
  for (; c + DOT_LINES <= chunks; c += DOT_LINES) {
    for (size_t q = 0; q < queries; q += DOT_QUERIES) {
      attention_i8_values(a, s, q, DOT_QUERIES, DOT_LINES, c, blocks, factors, out);
    }
  }
  for (; c < chunks; c++) attention_i8_values(a, s, 0, queries, 1, c, blocks, factors, out);
}

static void attention_i8(const vl2_attention_i8_args *a) {
  attention_i8_scratch s;
  s.step = (a->key_count + 31) / 32 * 32;
  s.scores = (float *)a->scratch;
  uint8_t *rest = dot_rows_at((uint8_t *)a->scratch + s.step * 32, s.step, 1, &s.weights);
  dot_rows_at(rest, (a->key_dim + 31) / 32 * 32, 0, &s.queries);
  size_t q = 0;
  for (; q + ATTENTION_QUERIES <= a->queries; q += ATTENTION_QUERIES) attention_i8_tile(a, &s, q, ATTENTION_QUERIES);
  for (; q < a->queries; q++) attention_i8_tile(a, &s, q, 1);
}
