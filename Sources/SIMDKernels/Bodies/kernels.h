// All bodies that are written once and compiled for each instruction set. Before it is included come the tile
// sizes; codebook_lookup, which maps 64 nibbles to entries of the codebook; and what attention_i8.h needs.

#pragma once

#include "attention.h"
#include "attention_i8.h"
#include "encode.h"
#include "matmul_f32.h"
#include "matmul_transposed.h"
#include "quantize.h"
#include "rows.h"

#define SHARED_KERNELS                                                                                        \
  .encode_block = encode_block, .encode_weighted = encode_weighted, .add_squares = add_squares,               \
  .quantize_rows = quantize_rows, .matmul_f32 = matmul_f32,                                                   \
  .matmul_transposed = matmul_transposed, .attention = attention,                                             \
  .store_key_values = store_key_values, .rms_norm = rms_norm,                                                 \
  .layer_norm = layer_norm, .softmax = softmax, .sigmoid = sigmoid, .gelu_tanh = gelu_tanh,                   \
  .gelu_erf = gelu_erf, .silu_multiply = silu_multiply, .add = add, .add_scaled = add_scaled,                 \
  .rope_halves = rope_halves, .rope_pairs = rope_pairs, .argmax = argmax
