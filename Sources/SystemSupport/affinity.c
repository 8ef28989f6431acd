#define _GNU_SOURCE
#include "SystemSupport.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

// The kernel refuses a set that is smaller than its own, which is as large as the most processors it was built for.
enum { MOST = 8192 };

int vl2_affinity_get(int of_process, int *processors, int most) {
  cpu_set_t *set = CPU_ALLOC(MOST);
  if (!set) return 0;
  size_t size = CPU_ALLOC_SIZE(MOST);
  CPU_ZERO_S(size, set);
  int count = 0;
  if (sched_getaffinity(of_process ? getpid() : 0, size, set) == 0) {
    for (int i = 0; i < MOST && count < most; i++) {
      if (CPU_ISSET_S(i, size, set)) processors[count++] = i;
    }
  }
  CPU_FREE(set);
  return count;
}

int vl2_affinity_set(const int *processors, int count) {
  cpu_set_t *set = CPU_ALLOC(MOST);
  if (!set) return ENOMEM;
  size_t size = CPU_ALLOC_SIZE(MOST);
  CPU_ZERO_S(size, set);
  for (int i = 0; i < count; i++) {
    if (processors[i] >= 0 && processors[i] < MOST) CPU_SET_S(processors[i], size, set);
  }
  int problem = sched_setaffinity(0, size, set) == 0 ? 0 : errno;
  CPU_FREE(set);
  return problem;
}
