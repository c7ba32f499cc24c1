/* The kinds of measurement and the figures each fills in a result's entry of a model, as
 * edgeseq_device.measuring.keys has them; a test holds the two tables against each other. */
#ifndef EDGESEQ_KEYS_H
#define EDGESEQ_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "artifact/sheet.h"

enum { SCHEMA_VERSION = 5, P99_SAMPLES_MIN = 500 };

enum kind {
    KIND_RAM,
    KIND_PARITY,
    KIND_STEP_PARITY,
    KIND_INSTRUCTIONS,
    KIND_STEP_INSTRUCTIONS,
    KIND_LATENCY,
    KIND_STEP_LATENCY,
    KIND_POWER,
    KIND_FITS,
    KIND_ACCURACY,
    KIND_REALTIME,
    KIND_SUSTAINED,
    KIND_PROFILE,
    KINDS_COUNT
};

/* What a figure is in JSON: WHOLE and NUMBER are numbers, the first without a fraction. */
enum value_type { WHOLE, NUMBER, FLAG, TEXT, LIST };

/* The tasks of whose models alone there is a key, as bits; EACH: of all. */
enum { EACH, OF_LM = 1 << LANGUAGE_MODEL, OF_FORECAST = 1 << FORECAST, DECIDES = 1 << CLASSIFY | OF_LM };

/* Units that a name ends in, or that are shown behind a figure; ANOTHER is neither. */
enum unit { ANOTHER, BYTES, MILLISECONDS, SECONDS, WATTS, MILLIJOULES, PERCENT };

/* Its name and label are apart from it, packed: tables are a large part of the program. */
struct key {
    unsigned char kind, type, unit, tasks; /* an enum kind, value_type and unit, bits */
};

enum { KEYS_COUNT = 80 };

/* The figures, in the order of a result. */
extern const struct key KEYS[KEYS_COUNT];

const char *keys_kind_name(enum kind kind); /* "step_latency" */
bool keys_kind_of(const char *name, enum kind *kind);

const char *keys_name(const struct key *key); /* "step_latency_p50_ms" */
bool keys_is_of(const struct key *key, enum model_task task);

/* Whether a kind looks at the step form; whether it takes one at all. */
bool keys_is_of_step(enum kind kind);
bool keys_needs_step(enum kind kind);

/* Whether it is of several process launches; whether an emulated processor cannot have it. */
bool keys_is_latency(enum kind kind);
bool keys_is_timed(enum kind kind);

/* What a key is called in a table; "": by its name; "-": not at all, as the native runner never has it. */
const char *keys_label(const struct key *key);

/* A key's name as a worker says it, or would: of the step form without the "step_". */
const char *keys_worker_name(const struct key *key);

/* The place in KEYS of what a worker of that kind calls `name`; KEYS_COUNT where it has no such figure. */
size_t keys_find(enum kind kind, const char *name);

#endif
