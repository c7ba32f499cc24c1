/* Whole files as bytes. */
#ifndef EDGESEQ_FILE_H
#define EDGESEQ_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"

/* The bytes of a file: in memory of their own or mapped read-only. data is NULL where size is 0. */
struct bytes {
    unsigned char *data;
    size_t size;
    bool mapped;
};

/* Maps a regular file read-only; its pages stay the file's own. BAD_DATA where there is none or it is not
 * regular, FAULT where the system refuses. bytes_free() unmaps. */
bool file_map(const char *path, struct bytes *bytes, struct failure *failure);

/* Reads a file of any kind ("-": stdin) into memory, to its end; BAD_DATA where it holds more than size_max
 * bytes. bytes_free() frees. */
bool file_read(const char *path, size_t size_max, struct bytes *bytes, struct failure *failure);

/* "folder/name", in memory that the caller frees; NULL and FAULT without memory. */
char *file_in(const char *folder, const char *name, struct failure *failure);

/* Frees or unmaps, and leaves no bytes. NULL data is fine. */
void bytes_free(struct bytes *bytes);

/* Writes all of the bytes; `path` is for the message of a FAULT. */
bool file_write_all(int file, const char *path, const void *data, size_t size, struct failure *failure);

/* Whether file_write_atomic() would be able to write there, as far as can be known before. FAULT says why
 * not. */
bool file_check_writable(const char *path, struct failure *failure);

/* Writes a file whole or not at all: beside it, synced, then renamed over it ("-": plainly to stdout). A
 * path that is there and is no regular file, such as /dev/null, is written plainly. FAULT says why not. */
bool file_write_atomic(const char *path, const void *data, size_t size, struct failure *failure);

#endif
