// Attention over int8 keys and values with SDOT, which i8mm has too; neon.c holds everything else for arm64.

#if defined(__aarch64__)

#include <arm_neon.h>

#include "Matmul/matmul_i8.h"
#include "isa.h"

#define ATTENTION_QUERIES 4
#define DOT_BIAS 0
#define DOT_GROUPS_NEON

#pragma clang attribute push(__attribute__((target("dotprod,tune=neoverse-n1"))), apply_to = function)

#include "Matmul/matmul_sdot.h"
#include "Bodies/attention_i8.h"

void vl2_attention_i8_dotprod(const vl2_attention_i8_args *args) { attention_i8(args); }

#pragma clang attribute pop

#endif
