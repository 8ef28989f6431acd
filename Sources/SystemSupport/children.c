// Starting other programs. Swift's view of the C library lacks what it takes to hand on no descriptor.

#define _GNU_SOURCE
#include "SystemSupport.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

// The groups of children that were not reaped, for a handler of signals, which has no other way to know them; 0: free.
static atomic_int groups[256];

static void replace_group(int old, int new) {
  for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
    int expected = old;
    if (atomic_compare_exchange_strong(&groups[i], &expected, new)) return;
  }
}

int vl2_pipe(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  // A process that was started without standard input or output has those numbers free, and the child gets its own there.
  for (int i = 0; i < 2; i++) {
    if (ends[i] > 2) continue;
    int moved = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);
    int reason = errno;
    if (moved < 0) {
      close(ends[0]);
      close(ends[1]);
      return reason;
    }
    close(ends[i]);
    ends[i] = moved;
  }
  return 0;
}

// What a new process does to become the program. It has its parent's memory, and the parent's thread waits: it may call
// nothing but the system. Returns an error number.
__attribute__((noinline)) static int become(
  const char *path, char *const words[], int input, int output, int errors, int ends_with_thread, pid_t parent) {
  struct sigaction usual = {.sa_handler = SIG_DFL};
  if (setpgid(0, 0) != 0) return errno;
  if (ends_with_thread) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
    if (getppid() != parent) return ECHILD;
  }
  // Those that cannot be set stay as they are.
  for (int number = 1; number < NSIG; number++) sigaction(number, &usual, NULL);
  if (input < 0) input = open("/dev/null", O_RDONLY);
  if (input < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(errors, 2) < 0) return errno;
  closefrom(3);
  sigset_t none;
  sigemptyset(&none);
  if (sigprocmask(SIG_SETMASK, &none, NULL) != 0) return errno;
  execve(path, words, environ);
  return errno;
}

// Not posix_spawn, which cannot have a child end with its parent.
int vl2_child_start(
  const char *path, char *const words[], int input, int output, int errors, int ends_with_thread, int *child) {
  sigset_t all, before;
  volatile int status = 0;
  pid_t parent = getpid();
  // No handler of ours runs in the child.
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  pid_t pid = vfork();
  if (pid == 0) {
    status = become(path, words, input, output, errors, ends_with_thread, parent);
    _exit(127);
  }
  if (pid < 0) status = errno;
  if (pid > 0 && status == 0) replace_group(0, pid);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (pid > 0 && status != 0) vl2_child_reap(pid);
  *child = pid;
  return status;
}

int vl2_child_has_ended(int child) {
  siginfo_t info = {0};
  // WNOWAIT: its number, and so that of its group, is nobody else's until it is reaped.
  int status;
  do status = waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT);
  while (status != 0 && errno == EINTR);
  return status != 0 || info.si_pid == child;
}

int vl2_child_reap(int child) {
  int status = 0;
  // Before its number can be somebody else's.
  if (child > 0) replace_group(child, 0);
  pid_t found;
  do found = waitpid(child, &status, 0);
  while (found < 0 && errno == EINTR);
  if (found != child) return -1;
  return WIFSIGNALED(status) ? -WTERMSIG(status) - 1 : WEXITSTATUS(status);
}

void vl2_children_kill(void) {
  for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
    int group = atomic_load(&groups[i]);
    if (group > 0) kill(-group, SIGKILL);
  }
}

ptrdiff_t vl2_write_pipe(int descriptor, const void *bytes, size_t count) {
  sigset_t pipe, before, pending;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigpending(&pending);
  int was_pending = sigismember(&pending, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  ptrdiff_t done = write(descriptor, bytes, count);
  int reason = errno;
  if (done < 0 && reason == EPIPE && !was_pending) {
    struct timespec none = {0, 0};
    while (sigtimedwait(&pipe, NULL, &none) < 0 && errno == EINTR) {}
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = reason;
  return done;
}
