#if defined(__x86_64__)

#include <immintrin.h>

#include "peak.h"

#define TARGET __attribute__((target("avx2,fma")))

// Without VNNI two instructions multiply and add up pairs, and a third adds to the sum.
TARGET uint64_t vl2_peak_i8_avx2(size_t rounds) {
  __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);
  const __m256i one = _mm256_set1_epi16(1);
  PEAK_KEEP_X86(b);
#define STEP _mm256_add_epi32(sum[s], _mm256_madd_epi16(_mm256_maddubs_epi16(a, _mm256_xor_si256(sum[s], b)), one))
  PEAK_LOOP(12, __m256i, _mm256_setzero_si256(), STEP, PEAK_KEEP_X86, 32);
#undef STEP
}

TARGET uint64_t vl2_peak_f32_avx2(size_t rounds) {
  __m256 a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(0.25f);
  PEAK_KEEP_X86(a);
  PEAK_LOOP(10, __m256, _mm256_setzero_ps(), _mm256_fmadd_ps(sum[s], a, b), PEAK_KEEP_X86, 8);
}

#endif
