// Reading a mapped file that was cut short, or whose card was pulled out, raises SIGBUS. In a guarded range the
// handler puts zero pages in place of what cannot be read and counts; whoever computes on them looks at the count
// before it believes the result.

#include "SystemSupport.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// Each takes a descriptor too, of which a process has a thousand or so. Nothing is allocated in a signal's handler, so the
// table has its full size; pages of it that are not used take no memory.
enum { MOST = 4096 };

static struct {
  _Atomic(uintptr_t) base; // 0: free
  _Atomic(size_t) length;
  atomic_uint faults;
} ranges[MOST];
static atomic_int used; // ranges that have ever been taken; all others are free

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction previous;
static int installed;
static uintptr_t page_size;

static void handle(int number, siginfo_t *info, void *context) {
  uintptr_t address = (uintptr_t)info->si_addr;
  int count = atomic_load(&used);
  for (int i = 0; i < count; i++) {
    uintptr_t base = atomic_load(&ranges[i].base);
    if (!base || address < base || address - base >= atomic_load(&ranges[i].length)) continue;
    atomic_fetch_add(&ranges[i].faults, 1);
    // The rest goes too: behind the end of a file nothing can be read, and one signal is enough.
    uintptr_t start = address & ~(page_size - 1);
    size_t rest = base + atomic_load(&ranges[i].length) - start;
    if (mmap((void *)start, rest, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) !=
        MAP_FAILED)
      return;
  }
  if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(number, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(number);
  } else {
    signal(SIGBUS, SIG_DFL); // the instruction runs again and ends the program
  }
}

int vl2_bus_guard_add(const void *base, size_t length) {
  pthread_mutex_lock(&lock);
  if (!installed) {
    page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigemptyset(&action.sa_mask);
    installed = sigaction(SIGBUS, &action, &previous) == 0;
  }
  int found = -1;
  for (int i = 0; i < MOST && installed && found < 0; i++) {
    if (atomic_load(&ranges[i].base)) continue;
    atomic_store(&ranges[i].faults, 0);
    atomic_store(&ranges[i].length, length);
    if (i >= atomic_load(&used)) atomic_store(&used, i + 1);
    atomic_store(&ranges[i].base, (uintptr_t)base);
    found = i;
  }
  pthread_mutex_unlock(&lock);
  return found;
}

void vl2_bus_guard_remove(int guard) {
  if (guard >= 0 && guard < MOST) atomic_store(&ranges[guard].base, 0);
}

unsigned vl2_bus_guard_faults(int guard) {
  return guard >= 0 && guard < MOST ? atomic_load(&ranges[guard].faults) : 0;
}

void vl2_bus_guard_reset(int guard) {
  if (guard >= 0 && guard < MOST) atomic_store(&ranges[guard].faults, 0);
}
