/* Is this processor emulated? Instructions and RAM can be trusted there, latency never. */
#ifndef EDGESEQ_EMULATION_H
#define EDGESEQ_EMULATION_H

#include <stdbool.h>

struct emulation {
    bool emulated;
    bool user_tier; /* one process under qemu-user; else a whole emulated machine */
    char because[256];
};

/* The evidence of emulation, or none on a real processor. A device tree's model string is never asked:
 * virtual boards imitate it. On x86 only the marker of a virtual board counts: a cloud machine says QEMU
 * there. */
void emulation_find(struct emulation *emulation);

/* The same of the files under another root than "/", and for a processor of that name ("aarch64", "x86_64").
 */
void emulation_find_under(const char *root, const char *machine, struct emulation *emulation);

#endif
