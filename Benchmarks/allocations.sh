#!/usr/bin/env bash
# Counts what writing a token allocates, retains and releases: two answers of different lengths, their difference divided
# by the tokens between them. Needs Linux and a C compiler.
# Usage: allocations.sh MODEL [THREADS]
#   VL2   the program to measure, else the release build here
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
model=$1 threads=${2:-2} vl2=${VL2:-$here/../.build/release/vl2}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/count.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_ulong allocations, retains, releases;
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void *malloc(size_t bytes) { return allocations++, __libc_malloc(bytes); }
void *calloc(size_t count, size_t bytes) { return allocations++, __libc_calloc(count, bytes); }
void *realloc(void *old, size_t bytes) { return allocations++, __libc_realloc(old, bytes); }
void *aligned_alloc(size_t alignment, size_t bytes) { return allocations++, __libc_memalign(alignment, bytes); }
int posix_memalign(void **at, size_t alignment, size_t bytes) {
  *at = aligned_alloc(alignment, bytes);
  return *at ? 0 : 12;
}
static void *(*retain)(void *);
static void (*release)(void *);
__attribute__((constructor)) static void find(void) {
  retain = (void *(*)(void *))dlsym(RTLD_NEXT, "swift_retain");
  release = (void (*)(void *))dlsym(RTLD_NEXT, "swift_release");
}
void *swift_retain(void *object) {
  if (!retain) find();
  return retains++, retain(object);
}
void swift_release(void *object) {
  if (!release) find();
  releases++, release(object);
}
__attribute__((destructor)) static void tell(void) {
  FILE *file = fopen(getenv("COUNTS"), "w");
  fprintf(file, "%lu %lu %lu\n", allocations, retains, releases);
  fclose(file);
}
C
cc -O2 -shared -fPIC -w -o "$folder/count.so" "$folder/count.c" -ldl
few=8 many=40
for tokens in $few $many; do
  COUNTS=$folder/$tokens LD_PRELOAD=$folder/count.so "$vl2" ask --model "$model" --threads "$threads" \
    --max-tokens $tokens "Write a long story about the sea." >/dev/null
done
read -r a0 r0 l0 <"$folder/$few"
read -r a1 r1 l1 <"$folder/$many"
echo "a token: $(((a1 - a0) / (many - few))) allocations, $(((r1 - r0) / (many - few))) retains," \
  "$(((l1 - l0) / (many - few))) releases"
