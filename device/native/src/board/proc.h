/* Files of /proc line by line, without memory of its own: reading must not change what is read. */
#ifndef EDGESEQ_PROC_H
#define EDGESEQ_PROC_H

#include <stdbool.h>
#include <stddef.h>

enum { PROC_LINE_MAX = 4096 };

struct proc {
    int file;
    size_t begin, end; /* of what was read and not yet given */
    char buffer[PROC_LINE_MAX];
};

/* False where the file cannot be opened; then there is nothing to close. */
bool proc_open(struct proc *proc, const char *path);

/* The next line without its end, until the next call; a longer one than PROC_LINE_MAX in pieces. NULL behind
 * the last line. */
char *proc_line(struct proc *proc);

void proc_close(struct proc *proc);

/* A mapping of a process: addresses [start, end), the offset in the file behind it and that file's name (""
 * for none), which points into the line; permissions such as "r-xp". */
struct mapping {
    unsigned long start, end, offset;
    char permissions[5];
    const char *file;
};

/* The head line of a mapping in maps or smaps; false for any other line. */
bool proc_mapping(const char *line, struct mapping *mapping);

/* The bytes of a line such as "Rss:   12 kB" with this key ("Rss:"); -1 for any other line. */
long proc_bytes(const char *line, const char *key);

/* Those of the first such line of a file; -1 where there is none or no file. */
long proc_bytes_in(const char *path, const char *key);

#endif
