// Loops that read memory and add up, which costs next to nothing: which one is fastest depends on what a processor fetches
// by itself. An EPYC's core fetched 15 GB/s in order, and 19 where it was asked for what comes 8 KiB later, as kernels ask.

#include "SIMDKernels.h"

typedef uint64_t reader_line __attribute__((vector_size(64)));

// By its address: how a vector of this size is handed over depends on the instruction set.
static inline uint64_t sum_of(const reader_line *line) {
  uint64_t sum = 0;
  for (size_t i = 0; i < 8; i++) sum += (*line)[i];
  return sum;
}

// `places` parts of the bytes at once, four lines of each a turn, asked for `ahead` bytes before (0: not asked), into
// the cache that `level` means to __builtin_prefetch.
#define READER(name, places, ahead, level)                                                                   \
  static uint64_t name(const uint8_t *at, size_t bytes) {                                                    \
    reader_line sums[places][2] = {{{0}}};                                                                   \
    size_t part = bytes / (places);                                                                          \
    for (size_t i = 0; i + 256 <= part; i += 256) {                                                          \
      _Pragma("unroll") for (size_t p = 0; p < (places); p++) {                                              \
        const uint8_t *from = at + p * part + i;                                                             \
        _Pragma("unroll") for (size_t line = 0; line < 4; line++) {                                          \
          if (ahead) __builtin_prefetch((const void *)((uintptr_t)from + (ahead) + line * 64), 0, level);    \
          sums[p][line % 2] += *(const reader_line *)(const void *)(from + line * 64);                       \
        }                                                                                                    \
      }                                                                                                      \
    }                                                                                                        \
    reader_line sum = {0};                                                                                   \
    for (size_t p = 0; p < (places); p++) sum += sums[p][0] + sums[p][1];                                    \
    return sum_of(&sum);                                                                                     \
  }

READER(in_order, 1, 0, 3)
READER(in_order_near, 1, 8192, 3)
READER(in_order_far, 1, 12288, 2)
READER(two_places, 2, 4096, 3)
READER(four_places, 4, 0, 3)
READER(four_places_near, 4, 4096, 3)

static const vl2_reader readers[] = {
    {"in order", in_order},
    {"in order, asked for 8 KiB ahead", in_order_near},
    {"in order, asked for 12 KiB ahead", in_order_far},
    {"at two places, asked for 4 KiB ahead", two_places},
    {"at four places", four_places},
    {"at four places, asked for 4 KiB ahead", four_places_near},
};

const vl2_reader *vl2_reader_at(size_t index) {
  return index < sizeof readers / sizeof *readers ? &readers[index] : NULL;
}
