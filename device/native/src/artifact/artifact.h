/* An exported model's folder: nothing in it is used that SHA256SUMS does not list with its hash. */
#ifndef EDGESEQ_ARTIFACT_H
#define EDGESEQ_ARTIFACT_H

#include <stdbool.h>

#include "artifact/golden.h"
#include "artifact/sheet.h"
#include "base/failure.h"
#include "base/file.h"

struct artifact {
    char *folder;
    struct sheet sheet;
    struct bytes model; /* read once: what was hashed is what is loaded, whatever becomes of the file */
    char *model_path;
    char model_sha256[65];
    char step_sha256[65];   /* "" where there is no step form; else model_sha256, as it is in the same file */
    char golden_sha256[65]; /* as listed; artifact_golden() checks it */
};

/* Opens the artifact in a folder: checks native.txt and the model against SHA256SUMS. Files that it does not
 * use may be absent. BAD_DATA names the file. artifact_close() frees; on failure nothing is left to free. */
bool artifact_open(const char *folder, struct artifact *artifact, struct failure *failure);

/* The golden vectors, checked against SHA256SUMS and the sheet. golden_free() frees. */
bool artifact_golden(const struct artifact *artifact, struct golden *golden, struct failure *failure);

/* Frees; one of all zeros is fine. */
void artifact_close(struct artifact *artifact);

#endif
