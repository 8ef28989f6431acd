#if defined(__x86_64__)
#include "isa.h"
#include "layout.h"
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#include "Bodies/encode.h"
#pragma clang attribute pop
const vl2_kernels vl2_kernels_avx2 = {.name = "avx2", .encode_block = encode_block};
#endif
