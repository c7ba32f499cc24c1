/* Letting a board cool between measurements, so that one does not pay for the heat of another. */
#ifndef EDGESEQ_COOLDOWN_H
#define EDGESEQ_COOLDOWN_H

#include "process/watch.h"

/* Waits until the processor is about as cool as `wanted_c` (NaN: not known, nothing is waited for), or does
 * not get any cooler; max_s at most, and not on once a signal asks for the end. Says so on stderr. */
void cooldown_wait(const char *root, double wanted_c, double max_s, struct watch *watch);

#endif
