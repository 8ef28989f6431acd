// Reads past the page cache, which Swift's C library module does not name.

#define _GNU_SOURCE

#include "SystemSupport.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

int vl2_open_direct(const char *path) { return open(path, O_RDONLY | O_CLOEXEC | O_DIRECT); }

void vl2_drop_cached(int descriptor, int64_t offset, int64_t length) {
  posix_fadvise(descriptor, offset, length, POSIX_FADV_DONTNEED);
}

int vl2_is_cached(int descriptor, int64_t offset) {
  char byte;
  struct iovec part = {&byte, 1};
  ssize_t count = preadv2(descriptor, &part, 1, offset, RWF_NOWAIT);
  if (count < 0 && errno == EAGAIN) return 0;
  return count == 1 ? 1 : -1;
}
