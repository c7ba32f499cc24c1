/* A list of texts that grows. */
#ifndef EDGESEQ_TEXTS_H
#define EDGESEQ_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

/* One of all zeros is empty. Each text stays where it is until texts_free(). */
struct texts {
    char **items;
    size_t count;
    bool incomplete; /* there was no memory for one that was to be added */
};

/* Adds a text; returns it, or NULL without memory, and then the list says that it is incomplete. */
const char *texts_add(struct texts *texts, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether a text like this one is in the list. */
bool texts_has(const struct texts *texts, const char *text);

/* The texts with `between` between them, in memory for the caller to free; NULL without memory. */
char *texts_join(const struct texts *texts, const char *between);

/* Into rising order of their bytes. */
void texts_sort(struct texts *texts);

void texts_free(struct texts *texts);

#endif
