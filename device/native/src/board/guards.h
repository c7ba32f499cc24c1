/* Guards around a measurement: was the machine throttled, hot, swapping or busy meanwhile? What is read and
 * how it is judged is edgeseq_device.measuring.guards, word for word. */
#ifndef EDGESEQ_GUARDS_H
#define EDGESEQ_GUARDS_H

#include "base/json.h"
#include "base/texts.h"
#include "process/watch.h"

/* A reading that the machine does not offer is -1 (of a double: NaN), a governor NULL. */
struct guards {
    char *governor;
    long frequency_hz, frequency_max_hz;
    double temperature_c;
    long throttled_bits; /* of the Pi's firmware: 0 to 3 now, 16 to 19 since boot */
    double load_1min;
    long cores, swapped_pages, swap_used_bytes, ram_available_bytes;
};

/* What the files under `root` tell, and for "/" the Pi's firmware. On an emulated board nothing: its files
 * are imitations or the host's. guards_free() frees. */
void guards_read(const char *root, bool emulated, struct watch *watch, struct guards *guards);

/* The processor's thermal zone (its type names cpu or soc; else the first one that tells); NaN without. */
double guards_temperature_c(const char *root);

/* The processor's clock now, for "/" as the Pi's firmware measures it; -1 without. */
long guards_frequency_hz(const char *root, struct watch *watch);

/* Takes a later reading in: `guards` becomes the later one with the higher temperature and every throttling
 * flag of both. At the end of a long request a board has cooled, and the firmware's flags of what goes on are
 * gone. `later` is spent. */
void guards_worst_of(struct guards *guards, struct guards *later);

/* Sentences about a measurement that ran between two readings: what breaks its result, and what only explains
 * its spread. */
void guards_judge(const struct guards *before, const struct guards *after, struct texts *broken,
                  struct texts *warnings);

/* An object with a key for each reading. */
void guards_write(const struct guards *guards, struct json *json);

void guards_free(struct guards *guards);

#endif
