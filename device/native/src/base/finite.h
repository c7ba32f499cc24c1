/* NaN and infinity in values that a model or a front end would take without a word. */
#ifndef EDGESEQ_FINITE_H
#define EDGESEQ_FINITE_H

#include <stddef.h>

/* How many values come before the first that is NaN or infinity; `count` where none is. */
size_t finite_count(const float *values, size_t count);

#endif
