#include "board/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool proc_open(struct proc *proc, const char *path) {
    proc->begin = proc->end = 0;
    proc->file = open(path, O_RDONLY | O_CLOEXEC);
    return proc->file >= 0;
}

void proc_close(struct proc *proc) {
    close(proc->file);
}

/* Moves what is left to the front of the buffer and reads on behind it; false at the end of the file. */
static bool fill(struct proc *proc) {
    memmove(proc->buffer, proc->buffer + proc->begin, proc->end - proc->begin);
    proc->end -= proc->begin;
    proc->begin = 0;
    size_t room = sizeof proc->buffer - 1 - proc->end; /* one for the NUL behind a line */
    ssize_t got;
    do
        got = read(proc->file, proc->buffer + proc->end, room);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return false;
    proc->end += (size_t)got;
    return true;
}

char *proc_line(struct proc *proc) {
    for (;;) {
        char *line = proc->buffer + proc->begin;
        size_t length = proc->end - proc->begin;
        char *stop = memchr(line, '\n', length);
        if (stop != NULL) {
            proc->begin += (size_t)(stop - line) + 1;
            *stop = '\0';
            return line;
        }
        if (length < sizeof proc->buffer - 1 && fill(proc))
            continue;
        if (length == 0)
            return NULL;
        line = proc->buffer + proc->begin; /* fill() has moved it */
        line[length] = '\0';
        proc->begin = proc->end;
        return line;
    }
}

/* The hexadecimal number at *text and the character `stop` behind it, which *text then stands behind. */
static bool take_hex(const char **text, char stop, unsigned long *value) {
    char *end;
    *value = strtoul(*text, &end, 16);
    if (end == *text || *end != stop)
        return false;
    *text = end + 1;
    return true;
}

bool proc_mapping(const char *line, struct mapping *mapping) {
    const char *at = line;
    if (!take_hex(&at, '-', &mapping->start) || !take_hex(&at, ' ', &mapping->end))
        return false;
    if (strcspn(at, " ") != 4 || at[4] == '\0')
        return false;
    memcpy(mapping->permissions, at, 4);
    mapping->permissions[4] = '\0';
    at += 5;
    if (!take_hex(&at, ' ', &mapping->offset))
        return false;
    for (int word = 0; word < 2; word++) { /* device and inode */
        at += strcspn(at, " ");
        at += strspn(at, " ");
    }
    mapping->file = at;
    return true;
}

long proc_bytes(const char *line, const char *key) {
    size_t length = strlen(key);
    if (strncmp(line, key, length) != 0)
        return -1;
    long kb = strtol(line + length, NULL, 10);
    return kb < 0 || kb > LONG_MAX / 1024 ? -1 : 1024 * kb;
}

long proc_bytes_in(const char *path, const char *key) {
    struct proc proc;
    if (!proc_open(&proc, path))
        return -1;
    long bytes = -1;
    for (char *line; bytes < 0 && (line = proc_line(&proc)) != NULL;)
        bytes = proc_bytes(line, key);
    proc_close(&proc);
    return bytes;
}
