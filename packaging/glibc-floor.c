/* Lets programs that are built on Debian 13 (glibc 2.41) run with glibc 2.35 and newer: Debian 12, Raspberry Pi OS,
   Ubuntu 22.04. Linked into the packages' programs, it has what Swift's static libraries want of newer versions, made
   of what older ones have. packaging/check.sh says when a program wants more.

   Hidden, so that the system's own libraries go on using the system's. */
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* What older ones have. */
extern long old_strtol(const char *, char **, int) __asm__("strtol");
extern long long old_strtoll(const char *, char **, int) __asm__("strtoll");
extern int old_vsscanf(const char *, const char *, va_list) __asm__("__isoc99_vsscanf");

#if defined(__aarch64__)
#define FIRST "GLIBC_2.17"
#else
#define FIRST "GLIBC_2.2.5"
#endif
extern double old_fmod(double, double);
extern float old_fmodf(float, float);
__asm__(".symver old_fmod, fmod@" FIRST);
__asm__(".symver old_fmodf, fmodf@" FIRST);

#pragma GCC visibility push(hidden)

/* glibc 2.38 gave the functions that read numbers other names for those compiled as C23, which know 0b101. */
long __isoc23_strtol(const char *text, char **end, int base) { return old_strtol(text, end, base); }
long long __isoc23_strtoll(const char *text, char **end, int base) { return old_strtoll(text, end, base); }
int __isoc23_sscanf(const char *text, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int fields = old_vsscanf(text, format, arguments);
  va_end(arguments);
  return fields;
}

/* New in 2.38. Source: strlcpy(3). */
size_t strlcpy(char *to, const char *from, size_t size) {
  size_t length = strlen(from);
  if (size > 0) {
    size_t copied = length < size ? length : size - 1;
    memcpy(to, from, copied);
    to[copied] = 0;
  }
  return length;
}

/* New versions in 2.38, without SVID's way with errors. */
double fmod(double x, double y) { return old_fmod(x, y); }
float fmodf(float x, float y) { return old_fmodf(x, y); }
