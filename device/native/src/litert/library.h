/* Which libLiteRt.so is meant, and of which version, where no option says so. */
#ifndef EDGESEQ_LIBRARY_H
#define EDGESEQ_LIBRARY_H

#include <limits.h>
#include <stdbool.h>

#include "base/failure.h"

enum { LIBRARY_VERSION_MAX = 64 };

struct library {
    char path[PATH_MAX];
    char version[LIBRARY_VERSION_MAX]; /* of its package, such as "2.3.0"; "" where it is unknown */
};

/* path, version: what the options say, NULL where they do not: then the path is libLiteRt.so beside this
 * program and the version what the file libLiteRt.version beside the library holds. UNFIT where no path was
 * given and there is no library beside the program; a path that was given is not looked at. */
bool library_find(const char *path, const char *version, struct library *library, struct failure *failure);

#endif
