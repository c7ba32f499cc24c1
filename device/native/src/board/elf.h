/* Which processor a program or library is for, read from its own header: names and labels can be wrong. */
#ifndef EDGESEQ_ELF_H
#define EDGESEQ_ELF_H

#include <stdbool.h>

/* What this program is for, as `uname -m` names it. */
#if defined(__x86_64__)
#define MACHINE_OWN "x86_64"
#elif defined(__aarch64__)
#define MACHINE_OWN "aarch64"
#else
#error "edgeseq-run is for 64-bit x86 and ARM"
#endif

enum { MACHINE_MAX = 32 };

/* Such as "aarch64"; "" for what is no ELF file. False where the file cannot be read: see errno. */
bool elf_machine(const char *path, char machine[MACHINE_MAX]);

/* Whether a file for this processor is as long as its header says; of one that is cut off the loader would
 * let the process be killed. */
bool elf_is_whole(const char *path);

#endif
