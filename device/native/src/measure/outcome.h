/* The outcome of one measurement as a worker writes it on its standard output: lines of words, the names as
 * in edgeseq_device.measuring.keys. A reader that does not find the last line knows that the worker ended
 * early.
 *
 *     outcome_begin(file);
 *     outcome_runtime(file, "ai-edge-litert 2.3.0");
 *     ...
 *     outcome_end(file);
 *
 * A text is made one line: what ends a line in it becomes a blank. Errors of writing are seen by ferror. */
#ifndef EDGESEQ_OUTCOME_H
#define EDGESEQ_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/failure.h"
#include "base/json.h"

void outcome_begin(FILE *file);
void outcome_end(FILE *file);                                  /* flushes too */
void outcome_error(FILE *file, const struct failure *failure); /* between begin and end */

void outcome_runtime(FILE *file, const char *version);               /* "ai-edge-litert 2.3.0" */
void outcome_setting_long(FILE *file, const char *name, long value); /* such as threads 1 */
void outcome_setting_text(FILE *file, const char *name, const char *value);
void outcome_frames(FILE *file, long frames);

void outcome_value_long(FILE *file, const char *name, long value);
void outcome_value_double(FILE *file, const char *name, double value); /* finite; else outcome_missing */
void outcome_value_bool(FILE *file, const char *name, bool value);
void outcome_value_rows(FILE *file, const char *name, const float *rows, size_t count,
                        size_t columns); /* rows: [count, columns], finite: a list of lists */
void outcome_missing(FILE *file, const char *name, const char *reason);

/* A value of any shape: write it with the JSON writer that begin gives (never indented), then end it. */
struct json outcome_value_begin(FILE *file, const char *name);
void outcome_value_end(struct json *json);

void outcome_phase(FILE *file, const char *name, double ms);
void outcome_warm_up(FILE *file, long runs, double seconds, bool settled);
void outcome_samples(FILE *file, const uint64_t *samples_ns, size_t count);

#endif
