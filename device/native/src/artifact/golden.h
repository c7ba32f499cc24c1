/* golden.npz: inputs the artifact was exported with and the logits the model gave there. */
#ifndef EDGESEQ_GOLDEN_H
#define EDGESEQ_GOLDEN_H

#include <stdbool.h>

#include "artifact/npy.h"
#include "artifact/sheet.h"
#include "base/failure.h"
#include "base/file.h"

struct golden {
    struct bytes archive;
    int count;
    struct npy *features;                 /* count arrays [T, F] of the sheet's element, T >= 1 */
    struct npy reference, step_reference; /* float32 [count, C]; where the file has none for the step
                                             form, the latter is the former */
    void **copies;                        /* members that lay unaligned; NULLs between them */
};

/* Reads the archive and checks it against the sheet: shapes, elements, count, all values finite. Takes the
 * archive over, on failure too (`archive` is left empty). golden_free() frees. */
bool golden_parse(struct bytes *archive, const char *path, const struct sheet *sheet, struct golden *golden,
                  struct failure *failure);

/* The input of median length (of T; the lower one of two): what the measurements of latency run. */
int golden_median(const struct golden *golden);

/* Frees what golden vectors hold; those of all zeros are fine. */
void golden_free(struct golden *golden);

#endif
