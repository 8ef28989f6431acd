// Memory that malloc keeps although it was freed, which Swift's C library module does not name.

#include "SystemSupport.h"

#include <malloc.h>

void vl2_return_large_blocks(void) {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}

void vl2_trim_heap(void) {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}
