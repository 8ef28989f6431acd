// Loops of multiply-adds in registers and nothing else: the most that an instruction set does on a core, against which
// kernels are held. A function does `rounds` rounds and returns how many multiply-adds those were.

#ifndef PEAK_H
#define PEAK_H

#include "SIMDKernels.h"

typedef uint64_t peak_loop(size_t rounds);

peak_loop vl2_peak_i8_portable, vl2_peak_f32_portable;
#if defined(__x86_64__)
peak_loop vl2_peak_i8_avx2, vl2_peak_f32_avx2;
peak_loop vl2_peak_i8_avx512vnni, vl2_peak_f32_avx512;
#elif defined(__aarch64__)
peak_loop vl2_peak_i8_neon, vl2_peak_f32_neon;
peak_loop vl2_peak_i8_dotprod;
peak_loop vl2_peak_i8_i8mm;
#endif

// Enough sums side by side to hide what one addition takes; `step` adds to sum `s`. No compiler sees through `keep`.
#define PEAK_LOOP(sums, type, zero, step, keep, multiply_adds)                  \
  type sum[sums];                                                               \
  _Pragma("unroll") for (size_t s = 0; s < (sums); s++) sum[s] = (zero);        \
  for (size_t round = 0; round < rounds; round++) {                             \
    _Pragma("unroll") for (size_t s = 0; s < (sums); s++) sum[s] = (step);      \
  }                                                                             \
  _Pragma("unroll") for (size_t s = 0; s < (sums); s++) keep(sum[s]);           \
  return (uint64_t)rounds * (sums) * (multiply_adds)

#define PEAK_KEEP_X86(value) __asm__ volatile("" : "+x"(value))
#define PEAK_KEEP_AVX512(value) __asm__ volatile("" : "+v"(value))
#define PEAK_KEEP_ARM(value) __asm__ volatile("" : "+w"(value))

#endif
