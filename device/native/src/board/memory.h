/* What this process holds in RAM, from Linux's /proc. Under qemu-user the process's own figures include the
 * emulator, so only pages of the guest's mappings are counted there. Each gives bytes, or -1 where the kernel
 * does not tell. No allocation: reading must not change what is read. */
#ifndef EDGESEQ_MEMORY_H
#define EDGESEQ_MEMORY_H

/* Resident set size now; the guest's part of it under qemu-user. */
long memory_rss_bytes(void);

/* Proportional set size now; -1 without smaps_rollup (before Linux 4.14). */
long memory_pss_bytes(void);

/* The largest resident set since this program was exec'ed (VmHWM); -1 under qemu-user, where the kernel's
 * figure includes the emulator. */
long memory_peak_bytes(void);

#endif
