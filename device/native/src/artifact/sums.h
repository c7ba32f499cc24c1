/* SHA256SUMS: the hash of every file of an artifact, one `sha256  name` a line. */
#ifndef EDGESEQ_SUMS_H
#define EDGESEQ_SUMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"

struct sum {
    char sha256[65];
    char *name;
};

struct sums {
    int count;
    struct sum *sums;
};

/* Reads the text of SHA256SUMS; `path` is for messages. BAD_DATA names the line that is not one, a name with
 * a path in it or one listed twice. sums_free() frees. */
bool sums_parse(const char *text, size_t size, const char *path, struct sums *sums, struct failure *failure);

/* The listed hash of a name, 64 lower-case hexadecimal digits; NULL where it is not listed. */
const char *sums_find(const struct sums *sums, const char *name);

/* Whether `name` can be that of a file in the artifact's folder itself: no path, no control characters. */
bool sums_plain_name(const char *name);

void sums_free(struct sums *sums);

#endif
