/* The kinds of measurement, each as edgeseq_device.measuring takes it from Python. */
#ifndef EDGESEQ_KINDS_H
#define EDGESEQ_KINDS_H

#include <stdio.h>

#include "base/failure.h"
#include "measure/session.h"

/* Measures the kind of that name, and writes what an outcome holds between its first and its last line. On
 * failure nothing was written. USAGE for a kind that this program does not take. */
bool kinds_measure(const char *kind, struct job *job, FILE *outcome, struct failure *failure);

#endif
