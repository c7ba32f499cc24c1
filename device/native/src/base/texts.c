#include "base/texts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Takes a text over. */
static const char *take(struct texts *texts, char *text) {
    char **items = realloc(texts->items, (texts->count + 1) * sizeof *items);
    if (items == NULL) {
        texts->incomplete = true;
        free(text);
        return NULL;
    }
    texts->items = items;
    return items[texts->count++] = text;
}

const char *texts_add(struct texts *texts, const char *format, ...) {
    va_list values;
    va_start(values, format);
    char *text = NULL;
    int size = vasprintf(&text, format, values);
    va_end(values);
    texts->incomplete = texts->incomplete || size < 0;
    return size < 0 ? NULL : take(texts, text);
}

bool texts_has(const struct texts *texts, const char *text) {
    for (size_t i = 0; i < texts->count; i++)
        if (strcmp(texts->items[i], text) == 0)
            return true;
    return false;
}

char *texts_join(const struct texts *texts, const char *between) {
    size_t size = 1;
    for (size_t i = 0; i < texts->count; i++)
        size += strlen(texts->items[i]) + strlen(between);
    char *joined = calloc(size, 1), *end = joined;
    for (size_t i = 0; joined != NULL && i < texts->count; i++) {
        if (i > 0)
            end = stpcpy(end, between);
        end = stpcpy(end, texts->items[i]);
    }
    return joined;
}

static int by_bytes(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

void texts_sort(struct texts *texts) {
    if (texts->count > 0)
        qsort(texts->items, texts->count, sizeof *texts->items, by_bytes);
}

void texts_free(struct texts *texts) {
    for (size_t i = 0; i < texts->count; i++)
        free(texts->items[i]);
    free(texts->items);
    *texts = (struct texts){0};
}
