/* Members of a zip archive that are stored, not compressed: numpy.savez writes such. */
#ifndef EDGESEQ_ZIP_H
#define EDGESEQ_ZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"

/* An archive by its central directory; it points into the bytes and needs no freeing. */
struct zip {
    const unsigned char *data;
    size_t size;
    size_t directory, directory_end; /* offsets of the central directory */
    size_t count;                    /* of its members */
};

struct zip_member {
    const unsigned char *data; /* in the archive's bytes: NOT aligned */
    size_t size;
};

/* Finds the central directory; `where` is for messages. BAD_DATA where the bytes are not one whole archive.
 */
bool zip_open(const void *data, size_t size, const char *where, struct zip *zip, struct failure *failure);

/* Whether the archive has a member of that name (the first is told, as one that can be read or not). */
bool zip_has(const struct zip *zip, const char *name);

/* A member's bytes, their CRC-32 checked. BAD_DATA where it is missing, twice there, compressed, encrypted,
 * reaches beyond the archive or has changed. */
bool zip_read(const struct zip *zip, const char *name, const char *where, struct zip_member *member,
              struct failure *failure);

#endif
