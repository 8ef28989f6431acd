// libwebp, opened when a picture needs it: who has no WebP files does without, and building needs nothing of it.

#include "SystemSupport.h"

#include <dlfcn.h>
#include <string.h>

// POSIX has function pointers in what dlsym returns; ISO C knows no such cast, so the bytes are copied.
static int find(void *handle, const char *name, void *function) {
  void *symbol = dlsym(handle, name);
  memcpy(function, &symbol, sizeof symbol);
  return symbol != NULL;
}

int vl2_webp_open(const char *library, vl2_webp *webp) {
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!handle) return 0;
  return find(handle, "WebPGetInfo", &webp->get_info) && find(handle, "WebPINewRGB", &webp->new_decoder) &&
         find(handle, "WebPIUpdate", &webp->update) && find(handle, "WebPIDelete", &webp->delete_decoder);
}
