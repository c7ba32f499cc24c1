/* A result as plain text, for people at the board: one line a figure, one column for each number of threads.
 * As edgeseq_device.measuring.plain_table. */
#ifndef EDGESEQ_PLAIN_TABLE_H
#define EDGESEQ_PLAIN_TABLE_H

#include <stdio.h>

#include "bench/result.h"

/* The figures of a result; on an emulated processor every line says so. */
void plain_table_write(const struct result *result, FILE *file);

/* Why figures are missing, and whatever casts doubt on the others. */
void plain_table_notes(const struct result *result, FILE *file);

/* A figure as it is shown, such as "1.23 ms": `json` is its value, NULL where there is none. */
void plain_table_shown(const char *json, const struct key *key, char shown[64]);

/* What stands before a figure in the table: its own label, or its kind's where no figure of that was taken.
 * False where the key is no figure of the table: not asked for, of a form that the model has not, a list, or
 * one that this runner never has. */
bool plain_table_label(const struct result *result, size_t key_at, char label[64]);

#endif
