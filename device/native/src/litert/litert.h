/* LiteRT's shared library, opened when the program runs: found, refused where it is too old or another's,
 * and its memory kept small. What is called in it: litert_api.h; a model in it: model.h. */
#ifndef EDGESEQ_LITERT_H
#define EDGESEQ_LITERT_H

#include <stdbool.h>

#include "base/failure.h"

struct litert;

/* Opens the library file and makes its environment: CPU only. LiteRT tells errors alone then;
 * TFLite within it, whose logger nothing exported reaches, one line more on stderr as a model is compiled:
 * "INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
 * path, version: of the file and of the package that it is from, such as "2.3.0"; NULL: as library_find().
 * What of its code only opening it needed is given back to the kernel.
 * NULL and UNFIT where the file is missing, for another machine, no library, or of a LiteRT before 2.1.6. */
struct litert *litert_open(const char *path, const char *version, struct failure *failure);

/* UNFIT: it does not do as this program needs it; what to do is said. Always false. */
bool litert_unfit(const char *path, struct failure *failure, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Of the library file. */
const char *litert_path(const struct litert *litert);

/* "ai-edge-litert 2.3.0", or "ai-edge-litert, version unknown". Lives as long as the library is open. */
const char *litert_version(const struct litert *litert);

/* Frees it, NULL too; every model must have been freed. The code stays mapped until the process ends. */
void litert_close(struct litert *litert);

#endif
