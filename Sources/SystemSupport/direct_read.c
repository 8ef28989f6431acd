// Reads past the page cache, which Swift's C library module does not name.

#define _GNU_SOURCE

#include "SystemSupport.h"

#include <fcntl.h>

int vl2_open_direct(const char *path) { return open(path, O_RDONLY | O_CLOEXEC | O_DIRECT); }

void vl2_drop_cached(int descriptor, int64_t offset, int64_t length) {
  posix_fadvise(descriptor, offset, length, POSIX_FADV_DONTNEED);
}
