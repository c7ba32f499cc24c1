/* Reading the outcome that a worker wrote (outcome.h). Nothing of it is believed: a worker may have been hit
 * in the middle of a line, or be another program. */
#ifndef EDGESEQ_OUTCOME_READER_H
#define EDGESEQ_OUTCOME_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"

/* "value NAME TEXT", "missing NAME TEXT", "setting NAME TEXT" or "phase NAME TEXT". */
struct outcome_line {
    const char *item, *name, *text;
};

/* One of all zeros is empty. The texts are parts of `content`. */
struct outcome {
    char *content;
    const char *runtime; /* NULL: not told */
    long frames;         /* 0: not told */
    struct outcome_line *lines;
    size_t lines_count;
    double *samples_ms;
    size_t samples_count;
    long warmup_runs; /* 0: no warm-up was told */
    double warmup_s;
    bool warmup_settled;
};

/* Takes over `content`, a text that malloc gave or NULL. FAULT where it is no whole outcome; of one that says
 * what became of the measurement, that with its exit code. outcome_free() frees; on failure nothing is left
 * to free. */
bool outcome_read(char *content, struct outcome *outcome, struct failure *failure);

/* The first line of that item and name; NULL where there is none. */
const struct outcome_line *outcome_find(const struct outcome *outcome, const char *item, const char *name);

void outcome_free(struct outcome *outcome);

/* Whether a text is one value in JSON. */
bool outcome_is_json(const char *text);

#endif
