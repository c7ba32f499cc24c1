#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_SIZE = 65536 };

/* A regular file mapped; the descriptor stays the caller's. */
static bool map(int file, const char *path, struct bytes *bytes, struct failure *failure) {
    struct stat status;
    if (fstat(file, &status) != 0)
        return fail_errno(failure, FAULT, path, "cannot be read");
    if (!S_ISREG(status.st_mode))
        return fail(failure, BAD_DATA, "%s: not a regular file", path);
    if (status.st_size == 0)
        return true;
    void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED)
        return fail_errno(failure, FAULT, path, "cannot be mapped");
    *bytes = (struct bytes){.data = data, .size = (size_t)status.st_size, .mapped = true};
    return true;
}

/* O_NONBLOCK: opening a pipe must not wait for somebody to write into it. */
bool file_map(const char *path, struct bytes *bytes, struct failure *failure) {
    *bytes = (struct bytes){0};
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return fail_errno(failure, BAD_DATA, path, "cannot be read");
    bool mapped = map(file, path, bytes, failure);
    close(file);
    return mapped;
}

/* Adds what one read() gives; *end: there was nothing more. */
static bool read_more(int file, const char *path, size_t size_max, struct bytes *bytes, bool *end,
                      struct failure *failure) {
    unsigned char *data = realloc(bytes->data, bytes->size + READ_SIZE);
    if (data == NULL)
        return fail_memory(failure);
    bytes->data = data;
    ssize_t count = read(file, data + bytes->size, READ_SIZE);
    if (count < 0 && errno == EINTR)
        return true;
    if (count < 0)
        return fail_errno(failure, BAD_DATA, path, "cannot be read");
    bytes->size += (size_t)count;
    *end = count == 0;
    if (bytes->size > size_max)
        return fail(failure, BAD_DATA, "%s: holds more than %zu bytes", path, size_max);
    return true;
}

bool file_read(const char *path, size_t size_max, struct bytes *bytes, struct failure *failure) {
    *bytes = (struct bytes){0};
    bool standard = strcmp(path, "-") == 0;
    int file = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return fail_errno(failure, BAD_DATA, path, "cannot be read");
    bool end = false, read_well = true;
    while (read_well && !end)
        read_well = read_more(file, standard ? "stdin" : path, size_max, bytes, &end, failure);
    if (!standard)
        close(file);
    if (!read_well || bytes->size == 0)
        bytes_free(bytes);
    return read_well;
}

char *file_in(const char *folder, const char *name, struct failure *failure) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) < 0) {
        fail_memory(failure);
        return NULL;
    }
    return path;
}

void bytes_free(struct bytes *bytes) {
    if (bytes->mapped)
        munmap(bytes->data, bytes->size);
    else
        free(bytes->data);
    *bytes = (struct bytes){0};
}

bool file_write_all(int file, const char *path, const void *data, size_t size, struct failure *failure) {
    const char *at = data;
    while (size > 0) {
        ssize_t count = write(file, at, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail_errno(failure, FAULT, path, "cannot be written");
        at += count;
        size -= (size_t)count;
    }
    return true;
}

/* To a pipe or a device. */
static bool write_plainly(const char *path, const void *data, size_t size, struct failure *failure) {
    int file = open(path, O_WRONLY | O_CLOEXEC | O_TRUNC);
    if (file < 0)
        return fail_errno(failure, FAULT, path, "cannot be written");
    bool written = file_write_all(file, path, data, size, failure);
    if (close(file) != 0 && written)
        return fail_errno(failure, FAULT, path, "cannot be written");
    return written;
}

/* Where a file is written before it is renamed; to be freed. NULL and FAULT without memory. */
static char *beside_of(const char *path, struct failure *failure) {
    char *beside = NULL;
    if (asprintf(&beside, "%s.%ld.new", path, (long)getpid()) >= 0)
        return beside;
    fail_memory(failure);
    return NULL;
}

/* A new file, which is written before it becomes `path`; -1 where there can be none. */
static int open_new(const char *beside, const char *path, struct failure *failure) {
    unlink(beside);
    int file = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0)
        fail_errno(failure, FAULT, path, "cannot be written");
    return file;
}

bool file_check_writable(const char *path, struct failure *failure) {
    struct stat status;
    if (strcmp(path, "-") == 0) {
        int flags = fcntl(STDOUT_FILENO, F_GETFL);
        return (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY) ||
               fail(failure, FAULT, "stdout: cannot be written (it is closed)");
    }
    if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode)) { /* such as /dev/null: it is not replaced */
        if (!S_ISDIR(status.st_mode) && access(path, W_OK) == 0)
            return true;
        errno = S_ISDIR(status.st_mode) ? EISDIR : errno;
        return fail_errno(failure, FAULT, path, "cannot be written");
    }
    char *beside = beside_of(path, failure);
    int file = beside == NULL ? -1 : open_new(beside, path, failure);
    if (file >= 0) {
        close(file);
        unlink(beside);
    }
    free(beside);
    return file >= 0;
}

static bool write_and_rename(const char *path, const char *beside, const void *data, size_t size,
                             struct failure *failure) {
    int file = open_new(beside, path, failure);
    if (file < 0)
        return false;
    bool written = file_write_all(file, path, data, size, failure);
    if (written && fsync(file) != 0)
        written = fail_errno(failure, FAULT, path, "cannot be written");
    if (close(file) != 0 && written)
        written = fail_errno(failure, FAULT, path, "cannot be written");
    if (written && rename(beside, path) != 0)
        written = fail_errno(failure, FAULT, path, "cannot be written");
    if (!written)
        unlink(beside);
    return written;
}

bool file_write_atomic(const char *path, const void *data, size_t size, struct failure *failure) {
    if (strcmp(path, "-") == 0) {
        fflush(stdout);
        return file_write_all(STDOUT_FILENO, "stdout", data, size, failure);
    }
    struct stat status;
    if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return write_plainly(path, data, size, failure);
    char *beside = beside_of(path, failure);
    if (beside == NULL)
        return false;
    bool written = write_and_rename(path, beside, data, size, failure);
    free(beside);
    return written;
}
