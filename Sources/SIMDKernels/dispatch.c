// Which kernels this processor runs, found out once before main.

#include <stdlib.h>
#include <string.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "SIMDKernels.h"
#include "isa.h"

static const vl2_kernels *available[8] = {&vl2_kernels_portable};
static const vl2_kernels *active = &vl2_kernels_portable;
static const char *refused;

// Slowest first.
__attribute__((constructor)) static void choose_kernels(void) {
  size_t count = 1;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) available[count++] = &vl2_kernels_avx2;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vnni")) {
    available[count++] = &vl2_kernels_avx512vnni;
  }
#elif defined(__aarch64__)
  available[count++] = &vl2_kernels_neon;
  if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) {
    available[count++] = &vl2_kernels_dotprod;
    if (getauxval(AT_HWCAP2) & HWCAP2_I8MM) available[count++] = &vl2_kernels_i8mm;
  }
#endif
  active = available[count - 1];
  const char *wanted = getenv("VL2_ISA");
  if (wanted == NULL || wanted[0] == '\0') return;
  for (size_t i = 0; i < count; i++) {
    if (strcmp(available[i]->name, wanted) == 0) {
      active = available[i];
      return;
    }
  }
  refused = wanted;
}

const vl2_kernels *vl2_kernels_active(void) { return active; }

const char *vl2_kernels_refused(void) { return refused; }

const vl2_kernels *vl2_kernels_at(size_t index) {
  return index < sizeof available / sizeof *available ? available[index] : NULL;
}
