#include "../lanes.h"
#include "peak.h"

// Through memory: what a compiler keeps these vectors in depends on the processor.
#define KEEP(value) __asm__ volatile("" : "+m"(value))

uint64_t vl2_peak_i8_portable(size_t rounds) {
  i32x16 a = 3, b = 5;
  KEEP(a);
  KEEP(b);
  PEAK_LOOP(2, i32x16, 0, sum[s] + a * b + (i32x16)(int32_t)round, KEEP, 16);
}

uint64_t vl2_peak_f32_portable(size_t rounds) {
  f32x16 a = 0.5f, b = 0.25f;
  KEEP(a);
  KEEP(b);
  PEAK_LOOP(2, f32x16, 0.0f, sum[s] * a + b, KEEP, 16);
}
