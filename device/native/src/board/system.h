/* What this machine is: the provenance of a measurement, as edgeseq_device.system tells it. */
#ifndef EDGESEQ_SYSTEM_H
#define EDGESEQ_SYSTEM_H

#include "base/json.h"
#include "base/texts.h"
#include "board/emulation.h"

/* NULL and -1: not known. */
struct system {
    char *board_model, *machine, *os, *kernel, *cpu_model, *glibc;
    struct texts cpu_features, warnings;
    long cores, ram_bytes;
    struct emulation emulation;
};

/* The system under `root` ("/"), on a processor of that name; `machine` NULL: on this one.
 * Under qemu-user the kernel is the host's; cores and RAM would be too, so they are -1. */
void system_describe(const char *root, const char *machine, struct system *system);

/* An object with the keys of describe_system(); python is null, as none runs. */
void system_write(const struct system *system, struct json *json);

/* What to call it in a line: the board's model, else its processor's, else the processor's kind. */
const char *system_name(const struct system *system);

void system_free(struct system *system);

#endif
