#if defined(__x86_64__)

#include <immintrin.h>

#include "peak.h"

__attribute__((target("avx512f,avx512vnni"))) uint64_t vl2_peak_i8_avx512vnni(size_t rounds) {
  __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
  PEAK_LOOP(16, __m512i, _mm512_setzero_si512(), _mm512_dpbusd_epi32(sum[s], a, b), PEAK_KEEP_AVX512, 64);
}

__attribute__((target("avx512f"))) uint64_t vl2_peak_f32_avx512(size_t rounds) {
  __m512 a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);
  PEAK_LOOP(16, __m512, _mm512_setzero_ps(), _mm512_fmadd_ps(sum[s], a, b), PEAK_KEEP_AVX512, 16);
}

#endif
