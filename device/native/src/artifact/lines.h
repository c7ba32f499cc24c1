/* The lines of a sheet, each a key and its words parted by one blank: read in order, every word checked. */
#ifndef EDGESEQ_LINES_H
#define EDGESEQ_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"

struct lines {
    const char *path; /* for messages */
    char *text;       /* a copy of all of it, cut up while it is read */
    char *rest;       /* what no line was taken of yet */
    long number;      /* of the line that was taken last */
    const char *key;  /* its key */
    char *words;      /* its words that were not taken yet; NULL: none */
    struct failure *failure;
};

/* A text of printable ASCII in whole lines. lines_close() frees; on failure nothing is left to free. */
bool lines_open(const char *text, size_t size, const char *path, struct lines *lines,
                struct failure *failure);
void lines_close(struct lines *lines);

/* BAD_DATA with the place of the line that was taken last. Always false. */
bool lines_refuse(struct lines *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether the next line's key is `key`. */
bool lines_next_is(const struct lines *lines, const char *key);

/* Takes the next line, whose key must be `key`. */
bool lines_take(struct lines *lines, const char *key);

/* Takes the next word of the line; NULL where there is none. It may be empty. */
char *lines_word(struct lines *lines);

/* The next word as what it must be. Text is decoded, in memory of its own; name: text that is not empty. */
bool lines_text(struct lines *lines, char **text);
bool lines_name(struct lines *lines, char **name);
bool lines_long(struct lines *lines, long low, long high, long *value);
bool lines_int(struct lines *lines, int low, int high, int *value);
bool lines_double(struct lines *lines, double *value);
bool lines_float(struct lines *lines, float *value);

/* No word of the line is left, and after the last line no line. */
bool lines_done(struct lines *lines);
bool lines_end(struct lines *lines);

/* A whole line of one word. */
bool lines_take_name(struct lines *lines, const char *key, char **name);
bool lines_take_int(struct lines *lines, const char *key, int low, int high, int *value);
bool lines_take_double(struct lines *lines, const char *key, double *value);

#endif
