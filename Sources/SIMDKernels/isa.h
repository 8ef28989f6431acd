// What dispatch.c knows of the other files.

#ifndef ISA_H
#define ISA_H

#include "SIMDKernels.h"

extern const vl2_kernels vl2_kernels_portable;
#if defined(__x86_64__)
extern const vl2_kernels vl2_kernels_avx2;
extern const vl2_kernels vl2_kernels_avx512vnni;
#elif defined(__aarch64__)
extern const vl2_kernels vl2_kernels_neon;
extern const vl2_kernels vl2_kernels_dotprod;
extern const vl2_kernels vl2_kernels_i8mm;

void vl2_attention_i8_dotprod(const vl2_attention_i8_args *args);
#endif

#endif
