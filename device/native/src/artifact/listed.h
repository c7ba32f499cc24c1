/* A file that SHA256SUMS lists, as it was when it was hashed, whatever becomes of the file. */
#ifndef EDGESEQ_LISTED_H
#define EDGESEQ_LISTED_H

#include <stdbool.h>

#include "base/failure.h"
#include "base/file.h"

/* The first of the bytes lies at a multiple of it: LiteRT uses a model where it lies. */
enum { LISTED_ALIGNMENT = 64 };

/* Reads a regular file, no symbolic link, once, into memory of its own, and compares the hash of what is
 * there with the listed one: a mapping would show what is written into the file later. BAD_DATA where it is
 * missing or another. bytes_free() frees. */
bool listed_read(const char *path, const char *sha256, struct bytes *bytes, struct failure *failure);

#endif
