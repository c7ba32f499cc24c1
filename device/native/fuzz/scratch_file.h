/* Bytes as a file in memory, for readers that open a path: the same file for every input. */
#ifndef EDGESEQ_SCRATCH_FILE_H
#define EDGESEQ_SCRATCH_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SCRATCH_PATH_MAX = 40 };

/* The path under which the bytes can be read. */
static inline const char *scratch_file(const uint8_t *data, size_t size) {
    static char path[SCRATCH_PATH_MAX];
    static int file = -1;
    if (file < 0) {
        file = memfd_create("input", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)getpid(), file);
    }
    if (file < 0 || ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != (ssize_t)size)
        abort();
    return path;
}

#endif
