/* Counts the guest instructions of marked regions: a TCG plugin for QEMU 7.2's user mode.
 *
 * The guest marks a region by the system call getpgid(MAGIC | slot) at its begin and
 * getpgid(MAGIC | END | slot) at its end; both fail with ESRCH and touch nothing. Each end appends one
 * JSON line to the file of the plugin option out=:
 *
 *   {"slot": 1, "insns_all": 1234, "insns_thread": 1200}
 *
 * insns_all: of all threads of the process; insns_thread: of the thread that made the calls.
 *
 * QEMU's plugin API is declared here by hand, so that no header of QEMU is needed to compile this.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_info;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

typedef void (*translate_callback)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*execute_callback)(unsigned int vcpu, void *data);
typedef void (*syscall_callback)(qemu_plugin_id_t, unsigned int vcpu, int64_t number,
                                 uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                                 uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, translate_callback);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, execute_callback,
                                          enum qemu_plugin_cb_flags, void *data);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t, syscall_callback);

EXPORT int qemu_plugin_version = 1;

static const uint64_t MAGIC = 0x45440000;

enum {
    GETPGID_AARCH64 = 155,
    END = 0x8000,
    SLOTS = 256,
    VCPUS = 1024,
};

/* One cache line per virtual processor: each is written by its own thread only. */
static struct { uint64_t count; uint64_t padding[7]; } executed[VCPUS];
static struct { uint64_t all; uint64_t thread; } begun[SLOTS];
static FILE *out;

static uint64_t executed_by_all(void)
{
    uint64_t sum = 0;
    for (size_t vcpu = 0; vcpu < VCPUS; vcpu++)
        sum += executed[vcpu].count;
    return sum;
}

static void on_execute(unsigned int vcpu, void *instructions)
{
    executed[vcpu % VCPUS].count += (uintptr_t)instructions;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, on_execute, QEMU_PLUGIN_CB_NO_REGS,
                                         (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

static void on_syscall(qemu_plugin_id_t id, unsigned int vcpu, int64_t number,
                       uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                       uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    (void)id, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number != GETPGID_AARCH64 || (a1 >> 16) != MAGIC >> 16)
        return;
    unsigned int slot = a1 % SLOTS;
    uint64_t all = executed_by_all();
    uint64_t thread = executed[vcpu % VCPUS].count;
    if (!(a1 & END)) {
        begun[slot].all = all;
        begun[slot].thread = thread;
        return;
    }
    fprintf(out,
            "{\"slot\": %u, \"insns_all\": %" PRIu64 ", \"insns_thread\": %" PRIu64 "}\n",
            slot, all - begun[slot].all, thread - begun[slot].thread);
    fflush(out);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0)
            out = fopen(argv[i] + 4, "a");
    }
    if (out == NULL) {
        fprintf(stderr, "qinsn: the option out=FILE is missing or its file cannot be opened\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
    return 0;
}
