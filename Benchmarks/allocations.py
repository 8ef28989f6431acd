"""Counts what writing a token allocates, retains and releases, and who does it.

    python3 allocations.py MODEL [--threads 2] [--vl2 PROGRAM] [--question TEXT]

Two answers of different lengths, their difference divided by the tokens between them. Both are long enough that experts
which are met for the first time count little. The count is the whole program's; callers, named by the symbols of the
program, tell what belongs to the decoder's layers and what to the answer's text. Needs Linux, a C compiler and nm.
"""

import argparse
import bisect
import collections
import os
import pathlib
import subprocess
import tempfile

COUNTER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
// Counts by caller and kind.
enum { ALLOCATION, RETAIN, RELEASE, PLACES = 1 << 16 };
static struct { _Atomic uintptr_t key; atomic_ulong count; } places[PLACES];
static void count(void *caller, unsigned kind, unsigned long times) {
  uintptr_t key = (uintptr_t)caller * 4 + kind, none;
  for (unsigned i = (key * 0x9E3779B97F4A7C15ull) >> 48;; i = (i + 1) % PLACES) {
    none = 0;
    if (places[i].key == key || atomic_compare_exchange_strong(&places[i].key, &none, key) || none == key) {
      places[i].count += times;
      return;
    }
  }
}
#define CALLER __builtin_return_address(0)
#define NEXT(function) \
  static typeof(function) *next; \
  if (!next) next = (typeof(function) *)dlsym(RTLD_NEXT, #function)
// Swift's own allocators call malloc: their caller is who counts.
static __thread void *asker;
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void *malloc(size_t bytes) {
  count(asker ? asker : CALLER, ALLOCATION, 1);
  return __libc_malloc(bytes);
}
void *calloc(size_t items, size_t bytes) {
  count(asker ? asker : CALLER, ALLOCATION, 1);
  return __libc_calloc(items, bytes);
}
void *realloc(void *old, size_t bytes) {
  count(asker ? asker : CALLER, ALLOCATION, 1);
  return __libc_realloc(old, bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes) {
  count(asker ? asker : CALLER, ALLOCATION, 1);
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void **at, size_t alignment, size_t bytes) {
  count(asker ? asker : CALLER, ALLOCATION, 1);
  return (*at = __libc_memalign(alignment, bytes)) ? 0 : 12;
}
void *swift_allocObject(void *type, size_t bytes, size_t mask) {
  NEXT(swift_allocObject);
  asker = CALLER;
  void *object = next(type, bytes, mask);
  asker = 0;
  return object;
}
void *swift_slowAlloc(size_t bytes, size_t mask) {
  NEXT(swift_slowAlloc);
  asker = CALLER;
  void *memory = next(bytes, mask);
  asker = 0;
  return memory;
}
void *swift_retain(void *object) {
  NEXT(swift_retain);
  count(CALLER, RETAIN, 1);
  return next(object);
}
void *swift_retain_n(void *object, uint32_t times) {
  NEXT(swift_retain_n);
  count(CALLER, RETAIN, times);
  return next(object, times);
}
void swift_release(void *object) {
  NEXT(swift_release);
  count(CALLER, RELEASE, 1);
  next(object);
}
void swift_release_n(void *object, uint32_t times) {
  NEXT(swift_release_n);
  count(CALLER, RELEASE, times);
  next(object, times);
}
__attribute__((destructor)) static void tell(void) {
  FILE *file = fopen(getenv("COUNTS"), "w");
  for (int i = 0; i < PLACES; i++) {
    Dl_info library;
    void *caller = (void *)(places[i].key / 4);
    if (!places[i].key || !dladdr(caller, &library)) continue;
    fprintf(file, "%d %s %lu %lu\n", (int)(places[i].key % 4), library.dli_fname,
            (unsigned long)((uintptr_t)caller - (uintptr_t)library.dli_fbase), places[i].count);
  }
  fclose(file);
}
"""
FEW, MANY = 96, 128


def symbols(program):
    """Addresses of the program's functions in order, and their names."""
    lines = subprocess.run(["nm", "-n", program], capture_output=True, text=True, check=True).stdout.splitlines()
    found = [line.split() for line in lines if line.split()[-2:-1] in (["t"], ["T"])]
    return [int(words[0], 16) for words in found], [words[2] for words in found]


def demangled(names):
    try:
        command = ["swift", "demangle", "-simplified", "-compact"]
        return subprocess.run(
            command, input="\n".join(names), capture_output=True, text=True, check=True).stdout.splitlines()
    except OSError:
        return names


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--vl2", default=pathlib.Path(__file__).parent.parent / ".build/release/vl2")
    parser.add_argument("--question", default="Write a long story about the sea.")
    arguments = parser.parse_args()
    program = os.path.realpath(arguments.vl2)
    runs = {}
    with tempfile.TemporaryDirectory() as folder:
        library = pathlib.Path(folder) / "count.so"
        pathlib.Path(folder, "count.c").write_text(COUNTER)
        subprocess.run(
            ["cc", "-O2", "-shared", "-fPIC", "-w", "-o", library, f"{folder}/count.c", "-ldl"], check=True)
        for tokens in (FEW, MANY):
            counts = f"{folder}/{tokens}"
            subprocess.run(
                [program, "ask", "--model", arguments.model, "--threads", str(arguments.threads), "--max-tokens",
                 str(tokens), arguments.question],
                env=dict(os.environ, COUNTS=counts, LD_PRELOAD=str(library)), stdout=subprocess.DEVNULL, check=True)
            words = [line.split() for line in open(counts)]
            runs[tokens] = {(int(kind), file, int(at)): int(count) for kind, file, at, count in words}
    addresses, names = symbols(program)
    callers = [collections.Counter() for _ in range(3)]
    for (kind, file, at), count in runs[MANY].items():
        count -= runs[FEW].get((kind, file, at), 0)
        ours = os.path.realpath(file) == program
        name = names[bisect.bisect(addresses, at) - 1] if ours else os.path.basename(file)
        callers[kind][name] += count / (MANY - FEW)
    for kind, found in zip(("allocations", "retains", "releases"), callers):
        print(f"{kind} a token: {sum(found.values()):.1f}")
        most = [(name, count) for name, count in found.most_common() if count >= 0.1]
        for (_, count), name in zip(most, demangled([name for name, _ in most])):
            print(f"{count:8.1f}  {name}")


main()
