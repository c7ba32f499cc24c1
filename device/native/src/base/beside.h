/* The files that lie beside this program: the other program of the two, and the library. */
#ifndef EDGESEQ_BESIDE_H
#define EDGESEQ_BESIDE_H

#include <limits.h>
#include <stdbool.h>

#include "base/failure.h"

/* `file` with its last part replaced by `name`; false where that is too long. */
bool beside_file(const char *file, const char *name, char path[PATH_MAX]);

/* The path of the file `name` beside this program. UNFIT where there is none: the message says what to do
 * about it in the words of `remedy`. */
bool beside_program(const char *name, const char *remedy, char path[PATH_MAX], struct failure *failure);

#endif
