#include "artifact/listed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/sha256.h"

/* As many bytes as the file had when it was opened, or as there still are. */
static bool fill(int file, const char *path, size_t size, struct bytes *bytes, struct failure *failure) {
    while (bytes->size < size) {
        ssize_t count = read(file, bytes->data + bytes->size, size - bytes->size);
        if (count < 0 && errno != EINTR)
            return fail_errno(failure, BAD_DATA, path, "cannot be read");
        if (count == 0)
            return true;
        bytes->size += count < 0 ? 0 : (size_t)count;
    }
    return true;
}

static bool read_regular(int file, const char *path, struct bytes *bytes, struct failure *failure) {
    struct stat status;
    if (fstat(file, &status) != 0)
        return fail_errno(failure, FAULT, path, "cannot be read");
    if (!S_ISREG(status.st_mode))
        return fail(failure, BAD_DATA, "%s: not a regular file", path);
    size_t size = (size_t)status.st_size;
    if (size == 0)
        return true;
    if (size > SIZE_MAX - LISTED_ALIGNMENT)
        return fail_memory(failure);
    size_t room = (size + LISTED_ALIGNMENT - 1) / LISTED_ALIGNMENT * LISTED_ALIGNMENT;
    bytes->data = aligned_alloc(LISTED_ALIGNMENT, room);
    return bytes->data == NULL ? fail_memory(failure) : fill(file, path, size, bytes, failure);
}

/* O_NONBLOCK: opening a pipe must not wait for somebody to write into it. */
static bool read_plain(const char *path, struct bytes *bytes, struct failure *failure) {
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (file < 0 && errno == ENOENT)
        return fail_export(
            failure, "%s: listed in SHA256SUMS but missing; take the whole folder that was exported", path);
    if (file < 0 && errno == ELOOP)
        return fail(failure, BAD_DATA, "%s: not a regular file", path);
    if (file < 0)
        return fail_errno(failure, BAD_DATA, path, "cannot be read");
    bool is_read = read_regular(file, path, bytes, failure);
    close(file);
    return is_read;
}

bool listed_read(const char *path, const char *sha256, struct bytes *bytes, struct failure *failure) {
    char found[65];
    *bytes = (struct bytes){0};
    bool is_read = read_plain(path, bytes, failure);
    if (is_read)
        sha256_hex(bytes->data, bytes->size, found);
    if (is_read && strcmp(found, sha256) != 0)
        is_read = fail_export(failure, "%s: its content changed after the export (sha256 differs)", path);
    if (!is_read)
        bytes_free(bytes);
    return is_read;
}
