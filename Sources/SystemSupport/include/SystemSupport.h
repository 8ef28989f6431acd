// The few things that Swift cannot say.

#ifndef SYSTEM_SUPPORT_H
#define SYSTEM_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

// Sleep while *word == expected, until vl2_futex_wake or a spurious wake-up.
void vl2_futex_wait(const uint32_t *word, uint32_t expected);
// Wake up to `count` threads that sleep on word.
void vl2_futex_wake(const uint32_t *word, int count);
// A hint that this thread is spinning.
void vl2_spin_hint(void);
// Name this thread, as top and debuggers show it; the system keeps 15 bytes.
void vl2_name_thread(const char *name);

// CRC-32C (Castagnoli) of bytes that follow those of which `crc` is the checksum; 0 to begin.
uint32_t vl2_crc32c(uint32_t crc, const void *bytes, size_t count);
// The same without the processor's instruction, for tests.
uint32_t vl2_crc32c_table(uint32_t crc, const void *bytes, size_t count);

// Opens a file for reading past the page cache; -1 where the file system has no such reads.
int vl2_open_direct(const char *path);
// Drops what the page cache holds of a range of a file.
void vl2_drop_cached(int descriptor, int64_t offset, int64_t length);

// What is used of libwebp, as its decode.h declares it.
typedef struct {
  // 1 where the data begin with a sensible header, whose size is then set.
  int (*get_info)(const uint8_t *data, size_t size, int *width, int *height);
  // A decoder that writes to `buffer`, in colour mode `mode` (0: RGB, 1: RGBA); NULL where there is not enough memory for it.
  // This one and not the simple functions, because it says why it fails.
  void *(*new_decoder)(int mode, uint8_t *buffer, size_t buffer_size, int stride);
  // Decodes from the beginning of a file, all of which is at `data`. Returns a VP8StatusCode: 0 when the picture is whole,
  // 1 where memory ran out, 5 where data are missing.
  int (*update)(void *decoder, const uint8_t *data, size_t size);
  void (*delete_decoder)(void *decoder);
} vl2_webp;
// Opens it at run time. 0 where there is no such library, or none with these functions.
int vl2_webp_open(const char *library, vl2_webp *webp);

// Gives back memory that malloc keeps although it was freed.
void vl2_trim_heap(void);

// Guards a mapped range against SIGBUS: pages that cannot be read become zeros, and are counted. Returns the guard,
// or -1 where all are taken.
int vl2_bus_guard_add(const void *base, size_t length);
void vl2_bus_guard_remove(int guard);
// Faults since the guard was added or reset: when there are any, nothing read from the range can be believed.
unsigned vl2_bus_guard_faults(int guard);
// Forgets them; after the range was mapped anew.
void vl2_bus_guard_reset(int guard);

#endif
