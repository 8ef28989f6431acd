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

// The processors that may run this process's first thread (`of_process`), or this thread: at most `most` numbers, in
// ascending order. Returns how many; 0 where the system does not say.
int vl2_affinity_get(int of_process, int *processors, int most);
// From now on this thread, and those that it starts, run on these processors alone. Returns an error number.
int vl2_affinity_set(const int *processors, int count);

// CRC-32C (Castagnoli) of bytes that follow those of which `crc` is the checksum; 0 to begin.
uint32_t vl2_crc32c(uint32_t crc, const void *bytes, size_t count);
// The same without the processor's instruction, for tests.
uint32_t vl2_crc32c_table(uint32_t crc, const void *bytes, size_t count);

// Opens a file for reading past the page cache; -1 where the file system has no such reads.
int vl2_open_direct(const char *path);
// Drops what the page cache holds of a range of a file.
void vl2_drop_cached(int descriptor, int64_t offset, int64_t length);
// Whether the page cache holds the byte at an offset of a file: 1 or 0; -1 where the file system does not say. Who may read
// the file is told, which mincore() only does for those who may write it.
int vl2_is_cached(int descriptor, int64_t offset);

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

// What is used of FreeType, as its freetype.h declares it; faces are void here, and sizes in pixels.
typedef struct {
  void *library;
  int (*new_face)(void *library, const char *path, long index, void **face);
  int (*set_size)(void *face, unsigned width, unsigned height);
  unsigned (*char_index)(void *face, unsigned long scalar);
  int (*load_glyph)(void *face, unsigned index, int32_t flags);
  int (*done_face)(void *face);
  int (*done)(void *library);
} vl2_freetype;
// Opens it at run time. 0 where there is no such library, or none with these functions.
int vl2_freetype_open(const char *library, vl2_freetype *freetype);
void vl2_freetype_close(vl2_freetype *freetype);

// A drawn character: for each pixel how much of it is covered, 0 to 255, in rows that are `step` bytes apart, which are
// FreeType's own and go when the next one is drawn.
typedef struct {
  const uint8_t *coverage;
  uint32_t width, height, step;
  // Pixels from the place of writing to the left edge, and from the line that letters stand on up to the upper edge.
  int32_t left, top;
  // Pixels to the place of the next character.
  int32_t advance;
} vl2_glyph;
// The first font of a file; NULL where there is none that FreeType can read.
void *vl2_font_open(const vl2_freetype *freetype, const char *path);
void vl2_font_close(const vl2_freetype *freetype, void *font);
// Whether a font has a character of Unicode.
int vl2_font_has(const vl2_freetype *freetype, void *font, uint32_t scalar);
// Draws it, `size` pixels being the font's em. 0 where the font has no outline of it.
int vl2_font_draw(const vl2_freetype *freetype, void *font, uint32_t scalar, uint32_t size, vl2_glyph *glyph);

// A pipe of which no program that is started inherits an end, and whose ends are not 0, 1 or 2. Returns an error number.
int vl2_pipe(int ends[2]);
// Starts the program at `path` in a process group of its own, with these three descriptors and no other (`input` -1: an
// empty one), and with signals as a fresh process has them; where wanted the system kills it when the thread that calls this
// ends. Returns an error number, and the process in `child`.
int vl2_child_start(
  const char *path, char *const words[], int input, int output, int errors, int ends_with_thread, int *child);
// Whether a child has ended; it keeps its number until it is reaped.
int vl2_child_has_ended(int child);
// Waits for a child's end. Its exit status; of one that a signal ended, less than -1: -1 - signal; -1 where there is none.
int vl2_child_reap(int child);
// Kills the groups of all children that were not reaped (of 256 at the same time). A handler of signals may call it.
void vl2_children_kill(void);
// write(2) without SIGPIPE: where nobody reads any more, EPIPE alone.
ptrdiff_t vl2_write_pipe(int descriptor, const void *bytes, size_t count);

// From now on malloc gives blocks of 1 MiB and more back to the system when they are freed, and keeps to that bound.
void vl2_return_large_blocks(void);
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
