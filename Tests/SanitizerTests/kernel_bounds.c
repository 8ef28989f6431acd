// Runs every kernel of every instruction set with its operands right against pages that cannot be touched, once
// before their first and once behind their last byte, and compares the results with those of the portable
// kernels. scripts/test-sanitizers.sh builds it with AddressSanitizer and UndefinedBehaviorSanitizer.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "SIMDKernels.h"

// ------------------------------------------------------------------------------------- guarded memory

enum { most_areas = 64 };
static struct {
  uint8_t *map;
  size_t length;
} areas[most_areas];
static size_t area_count;
static int at_end;  // which side of an operand lies against a guard page

// `bytes` bytes, filled with 0xA5. Against the end they have the alignment of their size only, which is 4 for rows of
// floats and 64 for blocks, quantised rows and scratch.
static void *guarded(size_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (bytes + page - 1) / page * page;
  if (inner == 0) inner = page;
  uint8_t *map = mmap(NULL, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED || mprotect(map + page, inner, PROT_READ | PROT_WRITE) != 0 || area_count == most_areas) {
    perror("mmap");
    exit(2);
  }
  areas[area_count].map = map;
  areas[area_count++].length = inner + 2 * page;
  memset(map + page, 0xA5, inner);
  return at_end ? map + page + inner - bytes : map + page;
}

static void release(size_t keep) {
  while (area_count > keep) {
    area_count--;
    munmap(areas[area_count].map, areas[area_count].length);
  }
}

static uint64_t state;

static uint32_t next_bits(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 32);
}

// In -1..<1.
static float uniform(void) { return (float)((int32_t)(next_bits() >> 8) - 8388608) / 8388608.0f; }

static float *guarded_floats(size_t count) {
  float *x = guarded(count * sizeof *x);
  for (size_t i = 0; i < count; i++) x[i] = uniform() + uniform() + uniform();
  return x;
}

// ------------------------------------------------------------------------------------------ comparison

static unsigned long checks, failures;
static uint64_t digest = 14695981039346656037u;  // FNV-1a of all that portable computed: the same on every machine

// Keeps what portable (the first to come) gave, and compares the others with it.
typedef struct {
  uint8_t *bytes;
} expectation;

static void compare(expectation *expected, const void *found, size_t bytes, const char *kernels,
                    const char *what) {
  checks++;
  if (expected->bytes == NULL) {
    expected->bytes = malloc(bytes + 1);
    memcpy(expected->bytes, found, bytes);
    for (size_t i = 0; i < bytes; i++) digest = (digest ^ expected->bytes[i]) * 1099511628211u;
  } else if (memcmp(expected->bytes, found, bytes) != 0) {
    failures++;
    fprintf(stderr, "kernel_bounds: %s of %s differs from portable\n", what, kernels);
  }
}

#define EACH_KERNELS(k) \
  for (size_t each = 0; each < 16; each++) \
    for (const vl2_kernels *k = vl2_kernels_at(each); k != NULL; k = NULL)

// --------------------------------------------------------------------------------------------- the kernels

static void check_matrices(uint32_t code, size_t rows, size_t columns) {
  size_t mark = area_count, bytes = vl2_block_bytes(code, columns), blocks = (rows + 15) / 16;
  float *weights = guarded_floats(rows * columns);
  uint8_t *packed = guarded(bytes * blocks);
  expectation encoded = {0};
  EACH_KERNELS(k) {
    double energy = 0, error = 0;
    for (size_t b = 0; b < blocks; b++) {
      size_t some = rows - b * 16 < 16 ? rows - b * 16 : 16;
      error += k->encode_block(code, weights + b * 16 * columns, columns, some, columns, packed + b * bytes, &energy);
    }
    if (!(error >= 0) || !(error <= 0.02 * energy)) {
      failures++;
      fprintf(stderr, "kernel_bounds: encode_block of %s lost %g of %g\n", k->name, error, energy);
    }
    compare(&encoded, packed, bytes * blocks, k->name, "encode_block");
  }
  free(encoded.bytes);

  float *importance = guarded(columns * sizeof *importance);
  for (size_t c = 0; c < columns; c++) importance[c] = c % 3 == 0 ? 1e-4f : 0.5f + (float)(c % 7);
  uint8_t *counted = guarded(bytes * blocks);
  expectation weighted = {0};
  EACH_KERNELS(k) {
    vl2_code_error error = {0};
    for (size_t b = 0; b < blocks; b++) {
      size_t some = rows - b * 16 < 16 ? rows - b * 16 : 16;
      k->encode_weighted(code, weights + b * 16 * columns, columns, some, columns, importance, counted + b * bytes,
                         &error);
    }
    if (!(error.weighted_error >= 0) || !(error.weighted_error <= 0.02 * error.weighted_energy)) {
      failures++;
      fprintf(stderr, "kernel_bounds: encode_weighted of %s lost %g of %g\n", k->name, error.weighted_error,
              error.weighted_energy);
    }
    compare(&weighted, counted, bytes * blocks, k->name, "encode_weighted");
  }
  free(weighted.bytes);

  double *squares = guarded(columns * sizeof *squares);
  expectation added = {0};
  EACH_KERNELS(k) {
    memset(squares, 0, columns * sizeof *squares);
    k->add_squares(weights, columns, NULL, rows, columns, squares);
    compare(&added, squares, columns * sizeof *squares, k->name, "add_squares");
  }
  free(added.bytes);

  vl2_matrix matrix = {packed, bytes, code, (uint32_t)rows, (uint32_t)columns};
  float *decoded = guarded(columns * sizeof *decoded);
  vl2_decode_row(&matrix, 0, decoded);
  vl2_decode_row(&matrix, rows - 1, decoded);

  size_t inner_rows = rows > 20 ? rows - 5 : rows, first_row = rows - inner_rows;
  float *rows_of_x = guarded_floats(5 * inner_rows), *sums = guarded(5 * columns * sizeof *sums);
  expectation transposed = {0};
  EACH_KERNELS(k) {
    k->matmul_transposed(&matrix, first_row, inner_rows, rows_of_x, inner_rows, 5, sums, columns);
    compare(&transposed, sums, 5 * columns * sizeof *sums, k->name, "matmul_transposed");
  }
  free(transposed.bytes);

  float *bias = guarded_floats(rows), *scratch = guarded(16 * columns * sizeof *scratch);
  static const size_t counts[] = {1, 2, 7, 37};
  for (size_t c = 0; c < 4; c++) {
    size_t count = counts[c], inner = area_count, step = vl2_quantized_row_bytes(columns);
    float *x = guarded_floats(count * columns), *y = guarded(count * rows * sizeof *y);
    uint8_t *quantized = guarded(count * step);
    uint32_t *index = guarded(count * sizeof *index);
    for (size_t i = 0; i < count; i++) index[i] = (uint32_t)(count - 1 - i);
    expectation floats = {0}, gathered = {0}, quantised = {0}, integers = {0}, gated = {0};
    EACH_KERNELS(k) {
      k->matmul_f32(&matrix, 0, blocks, x, columns, NULL, count, bias, y, rows, scratch);
      compare(&floats, y, count * rows * sizeof *y, k->name, "matmul_f32");
      k->matmul_f32(&matrix, 0, blocks, x, columns, index, count, NULL, y, rows, scratch);
      compare(&gathered, y, count * rows * sizeof *y, k->name, "matmul_f32 with an index");
      for (size_t group = 0; group <= 32; group += 32) {
        k->quantize_rows(x, columns, count, columns, group, quantized, step);
      }
      compare(&quantised, quantized, count * step, k->name, "quantize_rows");
      if (code == VL2_CODE_I8 || code == VL2_CODE_Q4) {
        k->matmul_i8(&matrix, 0, blocks, quantized, step, NULL, count, NULL, y, rows);
        k->matmul_i8(&matrix, 0, blocks, quantized, step, index, count, bias, y, rows);
        compare(&integers, y, count * rows * sizeof *y, k->name, "matmul_i8");
        k->gated_i8(&matrix, &matrix, 0, blocks, quantized, step, index, count, y, rows);
        compare(&gated, y, count * rows * sizeof *y, k->name, "gated_i8");
      }
    }
    free(floats.bytes);
    free(gathered.bytes);
    free(quantised.bytes);
    free(integers.bytes);
    free(gated.bytes);
    release(inner);
  }
  release(mark);
}

// Weights, scales and row scales that no encoder writes: a file may hold any bytes.
static void check_any_bytes(uint32_t code, size_t columns) {
  size_t mark = area_count, bytes = vl2_block_bytes(code, columns), step = vl2_quantized_row_bytes(columns);
  uint8_t *packed = guarded(bytes), *quantized = guarded(9 * step);
  float *x = guarded_floats(9 * columns), *y = guarded(9 * 16 * sizeof *y);
  float *scratch = guarded(16 * columns * sizeof *scratch), *decoded = guarded(columns * sizeof *decoded);
  vl2_matrix matrix = {packed, bytes, code, 16, (uint32_t)columns};
  for (int round = 0; round < 20; round++) {
    for (size_t i = 0; i < bytes; i++) packed[i] = round < 3 ? (uint8_t)(round * 127) : (uint8_t)(next_bits() >> 24);
    EACH_KERNELS(k) {
      for (size_t i = 0; i < 9; i++) x[i * columns] = i == 3 ? INFINITY : i == 5 ? NAN : 1e30f;
      k->quantize_rows(x, columns, 9, columns, 32, quantized, step);
      if (code == VL2_CODE_I8 || code == VL2_CODE_Q4) {
        k->matmul_i8(&matrix, 0, 1, quantized, step, NULL, 9, NULL, y, 16);
      }
      k->matmul_f32(&matrix, 0, 1, x, columns, NULL, 9, NULL, y, 16, scratch);
      k->matmul_transposed(&matrix, 0, 16, y, 16, 9, x, columns);
      checks++;
    }
    for (size_t row = 0; row < 16; row++) vl2_decode_row(&matrix, row, decoded);
  }
  release(mark);
}

static void check_attention(size_t queries, size_t keys, size_t key_dim, size_t value_dim, bool causal,
                            size_t visible) {
  size_t mark = area_count;
  float *query = guarded_floats(queries * key_dim), *key = guarded_floats((keys + 15) / 16 * 16 * key_dim);
  float *value = guarded_floats(keys * value_dim), *out = guarded(queries * value_dim * sizeof *out);
  float *scratch = guarded(vl2_attention_scratch(keys) * sizeof *scratch);
  vl2_attention_args args = {
      .query = query, .query_stride = key_dim, .queries = queries, .keys = key, .key_block_step = 16 * key_dim,
      .values = value, .value_stride = value_dim, .key_count = keys, .key_dim = key_dim, .value_dim = value_dim,
      .causal = causal, .visible = visible, .scale = 0.3f, .out = out, .out_stride = value_dim, .scratch = scratch};
  expectation expected = {0};
  EACH_KERNELS(k) {
    k->attention(&args);
    compare(&expected, out, queries * value_dim * sizeof *out, k->name, "attention");
  }
  free(expected.bytes);
  expectation in_blocks = {0};
  args.values = guarded_floats((keys + 15) / 16 * 16 * value_dim);
  args.value_block_step = 16 * value_dim;
  EACH_KERNELS(k) {
    k->attention(&args);
    compare(&in_blocks, out, queries * value_dim * sizeof *out, k->name, "attention with values in blocks");
  }
  free(in_blocks.bytes);
  release(mark);
}

static void check_attention_i8(size_t queries, size_t keys, size_t key_dim, size_t value_dim, bool causal,
                               size_t visible) {
  size_t mark = area_count, bytes = (keys + 31) / 32 * vl2_key_value_block_bytes(key_dim, value_dim);
  float *query = guarded_floats(queries * key_dim), *key = guarded_floats(keys * key_dim);
  float *value = guarded_floats(keys * value_dim), *out = guarded(queries * value_dim * sizeof *out);
  uint8_t *blocks = guarded(bytes);
  vl2_attention_i8_args args = {
      .query = query, .query_stride = key_dim, .queries = queries, .blocks = blocks, .key_count = keys,
      .key_dim = key_dim, .value_dim = value_dim, .causal = causal, .visible = visible, .scale = 0.3f, .out = out,
      .out_stride = value_dim, .scratch = guarded(vl2_attention_i8_scratch(keys, key_dim))};
  expectation stored = {0}, expected = {0};
  EACH_KERNELS(k) {
    memset(blocks, 0x55, bytes);
    k->store_key_values(blocks, 0, keys, key, key_dim, key_dim, value, value_dim, value_dim);
    compare(&stored, blocks, bytes, k->name, "keys and values");
    k->attention_i8(&args);
    compare(&expected, out, queries * value_dim * sizeof *out, k->name, "int8 attention");
  }
  free(stored.bytes);
  free(expected.bytes);
  release(mark);
}

static void check_rows(size_t columns) {
  size_t mark = area_count, rows = 3, count = rows * columns;
  float *x = guarded_floats(count), *weight = guarded_floats(columns), *bias = guarded_floats(columns);
  float *y = guarded(count * sizeof *y);
  expectation expected[12] = {0};
  EACH_KERNELS(k) {
    const size_t bytes = count * sizeof *y;
    k->rms_norm(x, columns, rows, columns, weight, 1e-6f, y, columns);
    compare(&expected[0], y, bytes, k->name, "rms_norm");
    k->layer_norm(x, columns, rows, columns, weight, bias, 1e-6f, y, columns);
    compare(&expected[1], y, bytes, k->name, "layer_norm");
    memcpy(y, x, bytes);
    k->softmax(y, count);
    compare(&expected[2], y, bytes, k->name, "softmax");
    memcpy(y, x, bytes);
    k->gelu_tanh(y, count);
    compare(&expected[3], y, bytes, k->name, "gelu_tanh");
    memcpy(y, x, bytes);
    k->gelu_erf(y, count);
    compare(&expected[4], y, bytes, k->name, "gelu_erf");
    k->silu_multiply(x, x, y, count);
    compare(&expected[5], y, bytes, k->name, "silu_multiply");
    k->add(y, x, count);
    compare(&expected[6], y, bytes, k->name, "add");
    k->add_scaled(y, x, 0.7f, count);
    compare(&expected[7], y, bytes, k->name, "add_scaled");
    k->rope_halves(y, rows, columns / 2 * 2, weight, bias);
    compare(&expected[8], y, bytes, k->name, "rope_halves");
    k->rope_pairs(y, rows, columns, columns / 2 * 2, weight, bias);
    compare(&expected[9], y, bytes, k->name, "rope_pairs");
    k->sigmoid(y, count);
    compare(&expected[10], y, bytes, k->name, "sigmoid");
    size_t best = k->argmax(x, count);
    compare(&expected[11], &best, sizeof best, k->name, "argmax");
  }
  for (size_t i = 0; i < 12; i++) free(expected[i].bytes);
  release(mark);
}

static void check_special_values(void) {
  static const float special[] = {0.0f,      -0.0f, 1e-45f, -1e-40f, 1e30f, -1e30f, INFINITY, -INFINITY, NAN,
                                  3.4e38f,   89.0f, -105.f, 1e-20f,  127.f, -127.f, 4e6f,     -4e6f};
  size_t mark = area_count, count = sizeof special / sizeof *special;
  float *x = guarded(count * sizeof *x), *y = guarded(count * sizeof *y);
  EACH_KERNELS(k) {
    memcpy(x, special, sizeof special);
    memcpy(y, special, sizeof special);
    k->gelu_tanh(y, count);
    k->gelu_erf(y, count);
    k->silu_multiply(x, x, y, count);
    k->rms_norm(x, count, 1, count, x, 1e-6f, y, count);
    k->layer_norm(x, count, 1, count, x, x, 1e-6f, y, count);
    memcpy(y, special, sizeof special);
    k->softmax(y, count);
    memcpy(y, special, sizeof special);
    k->sigmoid(y, count);
    if (k->argmax(x, count) != 6) {
      failures++;
      fprintf(stderr, "kernel_bounds: argmax of %s\n", k->name);
    }
    checks++;
  }
  release(mark);
}

static void check_widening(void) {
  size_t mark = area_count, count = 65536;
  uint16_t *halves = guarded(count * sizeof *halves);
  float *wide = guarded(count * sizeof *wide);
  for (size_t i = 0; i < count; i++) halves[i] = (uint16_t)i;
  vl2_widen_bf16(halves, count, wide);
  vl2_widen_f16(halves, count, wide);
  release(mark);
}

// VL2_ISA picks the kernels, and a name that this processor does not run is reported.
static void check_choice(void) {
  const char *wanted = getenv("VL2_ISA"), *refused = vl2_kernels_refused();
  int known = 0;
  EACH_KERNELS(k) known |= wanted != NULL && strcmp(wanted, k->name) == 0;
  int right = known ? refused == NULL && strcmp(vl2_kernels_active()->name, wanted) == 0
                    : wanted == NULL || *wanted == '\0' ? refused == NULL
                                                        : refused != NULL && strcmp(refused, wanted) == 0;
  checks++;
  if (!right) {
    failures++;
    fprintf(stderr, "kernel_bounds: VL2_ISA is not followed\n");
  }
}

int main(int count, char **arguments) {
  check_choice();
  // "list" prints the names, for the script; "choice" checks nothing else.
  if (count > 1) {
    if (strcmp(arguments[1], "list") == 0) EACH_KERNELS(k) puts(k->name);
    return failures == 0 ? 0 : 1;
  }
  static const size_t widths[] = {1, 2, 7, 15, 16, 17, 31, 32, 33, 48, 72, 588, 592, 1152, 4304};
  for (at_end = 0; at_end < 2; at_end++) {
    state = 1;
    for (uint32_t code = VL2_CODE_F32; code <= VL2_CODE_Q4; code++) {
      for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        check_matrices(code, 1, widths[w]);
        check_matrices(code, widths[w] > 600 ? 17 : 72, widths[w]);
        check_any_bytes(code, widths[w]);
      }
    }
    check_attention(1, 1, 1, 1, true, 1);
    check_attention_i8(1, 1, 1, 1, true, 1);
    check_attention(1, 100, 128, 128, true, 100);
    check_attention_i8(1, 100, 128, 128, true, 100);
    check_attention(37, 37, 72, 72, false, 1);
    check_attention_i8(37, 37, 72, 72, false, 1);
    check_attention(19, 40, 17, 33, true, 22);
    check_attention_i8(19, 40, 17, 33, true, 22);
    check_attention(9, 17, 192, 128, true, 9);
    check_attention_i8(9, 17, 192, 128, true, 9);
    check_attention(23, 23, 8, 8, true, 1);
    check_attention(10, 5, 16, 16, true, 2);
    check_attention_i8(10, 5, 16, 16, true, 2);
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) check_rows(widths[w]);
    check_special_values();
    check_widening();
  }
  printf("kernel_bounds: %lu checks, %lu failures, results %016llx\n", checks, failures,
         (unsigned long long)digest);
  return failures == 0 ? 0 : 1;
}
