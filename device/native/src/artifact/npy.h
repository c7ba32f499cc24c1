/* numpy's .npy format, versions 1 to 3: arrays in C order of little-endian float32 or int32. */
#ifndef EDGESEQ_NPY_H
#define EDGESEQ_NPY_H

#include <stdbool.h>
#include <stddef.h>

#include "artifact/sheet.h"
#include "base/failure.h"

struct npy {
    enum element element;
    int rank;            /* 0 to RANK_MAX */
    long dims[RANK_MAX]; /* their product times 4 is the size of data: it cannot overflow */
    const void *data;    /* aligned for its element; in the bytes that were parsed */
};

/* Reads the `size` bytes of a .npy file, which must begin at a multiple of 4; `where` is for messages. The
 * array points into the bytes. BAD_DATA says what is wrong with them: nothing of an array is guessed. */
bool npy_parse(const void *bytes, size_t size, const char *where, struct npy *npy, struct failure *failure);

/* The product of the dimensions. */
size_t npy_count(const struct npy *npy);

#endif
