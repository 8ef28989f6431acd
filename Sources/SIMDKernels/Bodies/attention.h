// Attention of one head. Lanes are keys for the scores and value dimensions for the sum; what a query computes
// does not depend on the queries beside it, nor on keys that it does not see.

#pragma once

#include "../lanes.h"
#include "exponential.h"

// Queries that share a load of keys and values: as many as the registers hold.
#ifndef ATTENTION_QUERIES
#error "ATTENTION_QUERIES"
#endif
_Static_assert(ATTENTION_QUERIES <= 8, "vl2_attention_scratch has room for 8");

// Scores of `queries` queries for `blocks` blocks of keys from block `first`.
LANES_INLINE void attention_scores(const vl2_attention_args *a, const float *query, size_t queries, size_t first,
                                   size_t blocks, float *scores, size_t step) {
  f32x16 sums[8];
#pragma unroll
  for (size_t s = 0; s < queries * blocks; s++) sums[s] = 0.0f;
  const float *keys = a->keys + first * a->key_block_step;
  for (size_t d = 0; d < a->key_dim; d++) {
#pragma unroll
    for (size_t b = 0; b < blocks; b++) {
      f32x16 key = lanes_load(keys + b * a->key_block_step + d * 16);
#pragma unroll
      for (size_t q = 0; q < queries; q++) sums[q * blocks + b] += query[q * a->query_stride + d] * key;
    }
  }
#pragma unroll
  for (size_t q = 0; q < queries; q++) {
#pragma unroll
    for (size_t b = 0; b < blocks; b++) {
      lanes_store(scores + q * step + (first + b) * 16, sums[q * blocks + b] * a->scale);
    }
  }
}

// `chunks` times 16 value dimensions from `first` (or only `some` of 16) of `queries` queries.
LANES_INLINE void attention_values(const vl2_attention_args *a, size_t queries, size_t chunks, size_t first,
                                   size_t some, const size_t *visible, const float *weights, size_t step,
                                   const float *factors, float *out) {
  f32x16 sums[16];
#pragma unroll
  for (size_t s = 0; s < queries * chunks; s++) sums[s] = 0.0f;
  for (size_t k = 0; k < visible[0]; k++) {
    const float *row = a->values + k * a->value_stride + first;
#pragma unroll
    for (size_t c = 0; c < chunks; c++) {
      f32x16 value = some ? lanes_load_some(row, some, 0) : lanes_load(row + c * 16);
#pragma unroll
      for (size_t q = 0; q < queries; q++) sums[q * chunks + c] += weights[q * step + k] * value;
    }
  }
#pragma unroll
  for (size_t q = 0; q < queries; q++) {
    // Later queries see more keys.
    for (size_t k = visible[0]; k < visible[q]; k++) {
      const float *row = a->values + k * a->value_stride + first;
#pragma unroll
      for (size_t c = 0; c < chunks; c++) {
        f32x16 value = some ? lanes_load_some(row, some, 0) : lanes_load(row + c * 16);
        sums[q * chunks + c] += weights[q * step + k] * value;
      }
    }
#pragma unroll
    for (size_t c = 0; c < chunks; c++) {
      f32x16 result = sums[q * chunks + c] * factors[q];
      float *to = out + q * a->out_stride + first;
      if (some) {
        lanes_store_some(to, some, result);
      } else {
        lanes_store(to + c * 16, result);
      }
    }
  }
}

// `dims` value dimensions from `first` of values in blocks of 16 keys. Lanes are keys, added up at the end; keys that
// a query does not see count as 0 whatever they hold.
LANES_INLINE void attention_block_values(const vl2_attention_args *a, size_t queries, size_t dims, size_t first,
                                         const size_t *visible, const float *weights, size_t step,
                                         const float *factors, float *out) {
  const i32x16 lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  f32x16 sums[16];
#pragma unroll
  for (size_t s = 0; s < queries * dims; s++) sums[s] = 0.0f;
  size_t whole = visible[0] / 16;
  const float *values = a->values + first * 16;
  for (size_t b = 0; b < whole; b++) {
#pragma unroll
    for (size_t d = 0; d < dims; d++) {
      f32x16 value = lanes_load(values + b * a->value_block_step + d * 16);
#pragma unroll
      for (size_t q = 0; q < queries; q++) sums[q * dims + d] += lanes_load(weights + q * step + b * 16) * value;
    }
  }
#pragma unroll
  for (size_t q = 0; q < queries; q++) {
    // Later queries see more keys.
    for (size_t b = whole; b * 16 < visible[q]; b++) {
      size_t left = visible[q] - b * 16;
      i32x16 seen = lanes < (int32_t)(left < 16 ? left : 16);
      f32x16 weight = seen ? lanes_load(weights + q * step + b * 16) : 0.0f;
#pragma unroll
      for (size_t d = 0; d < dims; d++) {
        f32x16 value = lanes_load(values + b * a->value_block_step + d * 16);
        sums[q * dims + d] += weight * (seen ? value : 0.0f);
      }
    }
#pragma unroll
    for (size_t d = 0; d < dims; d++) {
      out[q * a->out_stride + first + d] = lanes_sum(sums[q * dims + d]) * factors[q];
    }
  }
}

LANES_INLINE void attention_tile(const vl2_attention_args *a, size_t first, size_t queries) {
  size_t step = (a->key_count + 15) / 16 * 16, visible[8];
  for (size_t q = 0; q < queries; q++) {
    size_t seen = a->causal ? a->visible + first + q : a->key_count;
    visible[q] = seen < a->key_count ? seen : a->key_count;
  }

  const float *query = a->query + first * a->query_stride;
  size_t blocks = (visible[queries - 1] + 15) / 16, b = 0;
  size_t together = queries == 1 ? ATTENTION_QUERIES : 1;
  for (; b + together <= blocks; b += together) {
    attention_scores(a, query, queries, b, together, a->scratch, step);
  }
  for (; b < blocks; b++) attention_scores(a, query, queries, b, 1, a->scratch, step);

  float factors[8];
  for (size_t q = 0; q < queries; q++) {
    float *scores = a->scratch + q * step;
    factors[q] = 1.0f / exponentials(scores, visible[q], largest_of(scores, visible[q]));
  }

  float *out = a->out + first * a->out_stride;
  size_t chunks = queries == 1 ? 4 : ATTENTION_QUERIES == 8 ? 2 : 1, d = 0;
  if (a->value_block_step != 0) {
    for (; d + chunks <= a->value_dim; d += chunks) {
      attention_block_values(a, queries, chunks, d, visible, a->scratch, step, factors, out);
    }
    for (; d < a->value_dim; d++) {
      attention_block_values(a, queries, 1, d, visible, a->scratch, step, factors, out);
    }
    return;
  }
  for (; d + chunks * 16 <= a->value_dim; d += chunks * 16) {
    attention_values(a, queries, chunks, d, 0, visible, a->scratch, step, factors, out);
  }
  for (; d + 16 <= a->value_dim; d += 16) {
    attention_values(a, queries, 1, d, 0, visible, a->scratch, step, factors, out);
  }
  if (d < a->value_dim && a->value_dim >= 16) {
    // The last 16 again: those that are done already come out the same.
    attention_values(a, queries, 1, a->value_dim - 16, 0, visible, a->scratch, step, factors, out);
  } else if (d < a->value_dim) {
    attention_values(a, queries, 1, d, a->value_dim - d, visible, a->scratch, step, factors, out);
  }
}

static void attention(const vl2_attention_args *a) {
  size_t q = 0;
  for (; q + ATTENTION_QUERIES <= a->queries; q += ATTENTION_QUERIES) attention_tile(a, q, ATTENTION_QUERIES);
  for (; q < a->queries; q++) attention_tile(a, q, 1);
}
