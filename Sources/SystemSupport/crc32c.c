// CRC-32C (Castagnoli), reflected, as in RFC 3720: by the processor's instruction where it has one.

#include "SystemSupport.h"

#include <string.h>

#if defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

// table[k][b]: the remainder of byte b followed by k zero bytes.
static uint32_t table[8][256];

static uint32_t crc_table(uint32_t crc, const uint8_t *at, size_t count) {
  for (; count >= 8; count -= 8, at += 8) {
    uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24);
    crc = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255] ^ table[4][low >> 24] ^
          table[3][at[4]] ^ table[2][at[5]] ^ table[1][at[6]] ^ table[0][at[7]];
  }
  for (; count; count--, at++) crc = crc >> 8 ^ table[0][(crc ^ *at) & 255];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_instruction(uint32_t crc, const uint8_t *at, size_t count) {
  uint64_t wide = crc;
  for (; count >= 8; count -= 8, at += 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  crc = (uint32_t)wide;
  for (; count; count--, at++) crc = __builtin_ia32_crc32qi(crc, *at);
  return crc;
}

static int has_instruction(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
__attribute__((target("crc"))) static uint32_t crc_instruction(uint32_t crc, const uint8_t *at, size_t count) {
  for (; count >= 8; count -= 8, at += 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    crc = __builtin_arm_crc32cd(crc, word);
  }
  for (; count; count--, at++) crc = __builtin_arm_crc32cb(crc, *at);
  return crc;
}

static int has_instruction(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#else
static uint32_t crc_instruction(uint32_t crc, const uint8_t *at, size_t count) { return crc_table(crc, at, count); }

static int has_instruction(void) { return 0; }
#endif

static int use_instruction;

__attribute__((constructor)) static void prepare(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    table[0][byte] = crc;
  }
  for (int k = 1; k < 8; k++)
    for (int byte = 0; byte < 256; byte++)
      table[k][byte] = table[k - 1][byte] >> 8 ^ table[0][table[k - 1][byte] & 255];
  use_instruction = has_instruction();
}

uint32_t vl2_crc32c(uint32_t crc, const void *bytes, size_t count) {
  return use_instruction ? ~crc_instruction(~crc, bytes, count) : ~crc_table(~crc, bytes, count);
}

uint32_t vl2_crc32c_table(uint32_t crc, const void *bytes, size_t count) {
  return ~crc_table(~crc, bytes, count);
}
