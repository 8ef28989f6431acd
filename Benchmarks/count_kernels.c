// Runs kernels of Sources/SIMDKernels on shapes of DeepSeek-VL2-Tiny for Benchmarks/boards.py, which counts their
// instructions under an emulator:
//   count_kernels WORK...       for example product:32:1152:729 (rows, columns, rows of activations)
// After each work it calls the system with a number that no system knows, at which count_blocks.c writes what was counted.

#define _GNU_SOURCE

#include "SIMDKernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { end_of_work = 0x7661 };

static const vl2_kernels *kernels;

static void *room(size_t bytes) {
  void *memory = NULL;
  if (posix_memalign(&memory, 64, (bytes + 63) / 64 * 64) != 0) {
    fputs("count_kernels: not enough memory\n", stderr);
    exit(69);
  }
  return memory;
}

// Numbers in -1...1 in no order.
static float *numbers(size_t count) {
  static uint32_t state = 9;
  float *x = room(count * sizeof *x);
  for (size_t i = 0; i < count; i++) x[i] = (float)(int32_t)(state = state * 1664525 + 1013904223) / 2147483648.0f;
  return x;
}

// Codes whose values do not matter: kernels do the same for all.
static vl2_matrix matrix(uint32_t code, size_t rows, size_t columns) {
  size_t step = vl2_block_bytes(code, columns);
  uint8_t *blocks = room(rows / 16 * step);
  memset(blocks, 0x35, rows / 16 * step);
  return (vl2_matrix){blocks, step, code, (uint32_t)rows, (uint32_t)columns};
}

static void finished(void) { syscall(end_of_work); }

static void work(const char *name, size_t a, size_t b, size_t c) {
  if (strcmp(name, "product") == 0 || strcmp(name, "gated") == 0) {
    vl2_matrix one = matrix(VL2_CODE_Q4, a, b), two = matrix(VL2_CODE_Q4, a, b);
    size_t step = vl2_quantized_row_bytes(b);
    uint8_t *x = room(c * step);
    float *from = numbers(c * b), *y = room(c * a * sizeof *y);
    kernels->quantize_rows(from, b, c, b, 32, x, step);
    finished();
    if (*name == 'p') kernels->matmul_i8(&one, 0, a / 16, x, step, NULL, c, NULL, y, a);
    else kernels->gated_i8(&one, &two, 0, a / 16, x, step, NULL, c, y, a);
  } else if (strcmp(name, "attention") == 0 || strcmp(name, "causal") == 0) {
    // queries, keys, size
    float *query = numbers(a * c), *keys = numbers(b * c), *values = numbers(b * c);
    uint8_t *blocks = room((b + 31) / 32 * vl2_key_value_block_bytes(c, c));
    void *scratch = room(vl2_attention_i8_scratch(b, c));
    float *out = room(a * c * sizeof *out);
    memset(blocks, 0, (b + 31) / 32 * vl2_key_value_block_bytes(c, c));
    int causal = *name == 'c';
    finished();
    kernels->store_key_values(blocks, 0, b, keys, c, c, values, c, c);
    kernels->attention_i8(&(vl2_attention_i8_args){
        query, c, a, blocks, b, c, c, causal, causal ? b - a + 1 : b, 0.1f, out, c, scratch});
  } else {
    // rows, columns
    size_t step = vl2_quantized_row_bytes(b);
    float *x = numbers(a * b), *y = numbers(a * b), *weight = numbers(b);
    uint8_t *codes = room(a * step);
    finished();
    if (strcmp(name, "quantize") == 0) kernels->quantize_rows(x, b, a, b, 32, codes, step);
    else if (strcmp(name, "layer_norm") == 0) kernels->layer_norm(x, b, a, b, weight, weight, 1e-6f, y, b);
    else if (strcmp(name, "rms_norm") == 0) kernels->rms_norm(x, b, a, b, weight, 1e-6f, y, b);
    else if (strcmp(name, "gelu") == 0) kernels->gelu_tanh(x, a * b);
    else if (strcmp(name, "add") == 0) kernels->add(x, y, a * b);
    else if (strcmp(name, "argmax") == 0) (void)kernels->argmax(x, a * b);
    else if (strcmp(name, "nothing") != 0) {
      fprintf(stderr, "count_kernels: %s: no such work\n", name);
      exit(64);
    }
  }
  finished();
}

int main(int argc, char **argv) {
  kernels = vl2_kernels_active();
  for (int i = 1; i < argc; i++) {
    char name[32];
    size_t a = 1, b = 1, c = 1;
    if (sscanf(argv[i], "%31[^:]:%zu:%zu:%zu", name, &a, &b, &c) < 1) return 64;
    work(name, a, b, c);
  }
  printf("%s\n", kernels->name);
}
