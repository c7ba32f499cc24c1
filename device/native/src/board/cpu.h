/* What /proc/cpuinfo tells of the processor, and which processors this process may use. */
#ifndef EDGESEQ_CPU_H
#define EDGESEQ_CPU_H

#include <stdbool.h>

#include "base/failure.h"
#include "base/texts.h"

enum { CPUS_MAX = 1024 };

/* The processor's name, on ARM such as "ARM Cortex-A72 (0x41/0xd08)"; to be freed, NULL where unknown. */
char *cpu_model(const char *cpuinfo);

/* The features a runtime chooses its kernels by, sorted: all on ARM, the vector ones on x86. */
void cpu_features(const char *cpuinfo, struct texts *features);

/* Whether the processor says that it is a virtual machine's. */
bool cpu_is_virtual(const char *cpuinfo);

/* The numbers of the processors that this process may use, rising; how many there are (0: unknown). */
int cpu_allowed(int cpus[CPUS_MAX]);

/* The last `threads` of them (the first serves most interrupts); UNFIT where there are fewer. 0 into *count
 * where they are unknown. */
bool cpu_choose(int threads, int cpus[CPUS_MAX], int *count, struct failure *failure);

#endif
