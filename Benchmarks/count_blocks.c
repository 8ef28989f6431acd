// A plugin of qemu-user that counts how often each block of instructions is run, for Benchmarks/boards.py:
//   qemu-aarch64 -plugin ./count_blocks.so,out=FILE PROGRAM ...
// One line for each block: how often it was run, the function that it is in, and its instructions as they lie in memory. Where
// the program calls the system with the number 0x7661, which none knows, what was counted so far is written, a line "end" after
// it, and counting begins anew.
// What it declares of qemu's is that of version 1 of its interface for plugins (qemu 4.2 to 9), as qemu-plugin.h documents it.

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { qemu_plugin_inline_add_u64 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t,
                                          void (*)(qemu_plugin_id_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t,
                                                   uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

typedef struct block {
  struct block *next;
  uint64_t runs;
  char *function;
  size_t count;
  uint32_t instructions[];
} block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static block *blocks;
static FILE *out;

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  size_t count = qemu_plugin_tb_n_insns(tb);
  block *new = calloc(1, sizeof *new + count * sizeof *new->instructions);
  if (new == NULL) abort();
  const char *function = qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(tb, 0));
  new->function = strdup(function == NULL || *function == 0 ? "?" : function);
  new->count = count;
  for (size_t i = 0; i < count; i++) {
    memcpy(&new->instructions[i], qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, i)), sizeof(uint32_t));
  }
  pthread_mutex_lock(&lock);
  new->next = blocks;
  blocks = new;
  pthread_mutex_unlock(&lock);
  qemu_plugin_register_vcpu_tb_exec_inline(tb, qemu_plugin_inline_add_u64, &new->runs, 1);
}

static void write_counts(void) {
  pthread_mutex_lock(&lock);
  for (block *b = blocks; b != NULL; b = b->next) {
    if (b->runs == 0) continue;
    fprintf(out, "%" PRIu64 " %s ", b->runs, b->function);
    for (size_t i = 0; i < b->count; i++) fprintf(out, "%08" PRIx32, b->instructions[i]);
    fputc('\n', out);
    b->runs = 0;
  }
  fputs("end\n", out);
  pthread_mutex_unlock(&lock);
}

static void called(qemu_plugin_id_t id, unsigned cpu, int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                   uint64_t e, uint64_t f, uint64_t g, uint64_t h) {
  (void)id, (void)cpu, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
  if (number == 0x7661) write_counts();
}

static void ended(qemu_plugin_id_t id, void *data) {
  (void)id;
  (void)data;
  write_counts();
  fclose(out);
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
                                                               char **argv) {
  (void)info;
  for (int i = 0; i < argc; i++) {
    if (strncmp(argv[i], "out=", 4) == 0) out = fopen(argv[i] + 4, "w");
  }
  if (out == NULL) {
    fputs("count_blocks: give out=FILE, a file that can be written\n", stderr);
    return -1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_vcpu_syscall_cb(id, called);
  qemu_plugin_register_atexit_cb(id, ended, NULL);
  return 0;
}
