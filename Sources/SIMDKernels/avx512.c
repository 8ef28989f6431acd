#if defined(__x86_64__)
#include "isa.h"
#include "layout.h"
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"))), apply_to = function)
#include "Bodies/encode.h"
#pragma clang attribute pop
const vl2_kernels vl2_kernels_avx512vnni = {.name = "avx512vnni", .encode_block = encode_block};
#endif
