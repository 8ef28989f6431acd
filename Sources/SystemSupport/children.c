// Starting other programs. Swift's view of the C library lacks what it takes to hand on no descriptor.

#define _GNU_SOURCE
#include "SystemSupport.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
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

int vl2_child_start(const char *path, char *const words[], int input, int output, int errors, int *child) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  pid_t pid = 0;
  int status = posix_spawn_file_actions_init(&files);
  if (status != 0) return status;
  status = posix_spawnattr_init(&attributes);
  if (status != 0) {
    posix_spawn_file_actions_destroy(&files);
    return status;
  }
  sigemptyset(&none);
  sigfillset(&all);
  sigdelset(&all, SIGKILL);
  sigdelset(&all, SIGSTOP);
  short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  status = input < 0 ? posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)
                     : posix_spawn_file_actions_adddup2(&files, input, 0);
  if (status == 0) status = posix_spawn_file_actions_adddup2(&files, output, 1);
  if (status == 0) status = posix_spawn_file_actions_adddup2(&files, errors, 2);
  if (status == 0) status = posix_spawn_file_actions_addclosefrom_np(&files, 3);
  if (status == 0) status = posix_spawnattr_setflags(&attributes, flags);
  if (status == 0) status = posix_spawnattr_setpgroup(&attributes, 0);
  if (status == 0) status = posix_spawnattr_setsigmask(&attributes, &none);
  if (status == 0) status = posix_spawnattr_setsigdefault(&attributes, &all);
  if (status == 0) status = posix_spawn(&pid, path, &files, &attributes, words, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (status == 0) replace_group(0, pid);
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
