/* Memory of files that can be read again: given back to the kernel it costs no RAM until it is used again,
 * and then comes from the page cache. */
#ifndef EDGESEQ_GIVE_BACK_H
#define EDGESEQ_GIVE_BACK_H

#include <stddef.h>

/* The read-only parts, code and constants, of this program and every library that is loaded. */
void give_back_code(void);

/* A part of a read-only mapping of a file. */
void give_back_mapping(const void *begin, size_t size);

#endif
