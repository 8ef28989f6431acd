// Memory that malloc keeps although it was freed, which Swift's C library module does not name.

#include "SystemSupport.h"

#include <malloc.h>

void vl2_trim_heap(void) {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}
