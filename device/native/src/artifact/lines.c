#include "artifact/lines.h"

#include <float.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { SIZE_MAX_BYTES = 16000000 };

/* The number of the first line that holds anything but printable ASCII; 0: none does. */
static long first_not_plain(const char *text, size_t size) {
    long number = 1;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n')
            number++;
        else if (text[i] < ' ' || text[i] > '~')
            return number;
    }
    return 0;
}

bool lines_open(const char *text, size_t size, const char *path, struct lines *lines,
                struct failure *failure) {
    *lines = (struct lines){.path = path, .failure = failure, .key = ""};
    if (size > SIZE_MAX_BYTES)
        return fail_export(failure, "%s: larger than %d bytes", path, SIZE_MAX_BYTES);
    lines->number = first_not_plain(text, size);
    if (lines->number > 0)
        return lines_refuse(lines, "holds a character that is not printable ASCII");
    if (size == 0 || text[size - 1] != '\n')
        return fail_export(failure, "%s: was cut off", path);
    lines->text = strndup(text, size);
    if (lines->text == NULL)
        return fail_memory(failure);
    lines->rest = lines->text;
    return true;
}

void lines_close(struct lines *lines) {
    free(lines->text);
    *lines = (struct lines){0};
}

bool lines_refuse(struct lines *lines, const char *format, ...) {
    char cause[400];
    va_list values;
    va_start(values, format);
    vsnprintf(cause, sizeof cause, format, values);
    va_end(values);
    return fail_export(lines->failure, "%s:%ld: %s", lines->path, lines->number, cause);
}

bool lines_next_is(const struct lines *lines, const char *key) {
    size_t length = strlen(key);
    if (strncmp(lines->rest, key, length) != 0)
        return false;
    return lines->rest[length] == ' ' || lines->rest[length] == '\n';
}

bool lines_take(struct lines *lines, const char *key) {
    bool found = lines_next_is(lines, key);
    lines->number++;
    if (*lines->rest == '\0')
        return lines_refuse(lines, "ends before the line `%s`", key);
    char *line = strsep(&lines->rest, "\n");
    if (!found)
        return lines_refuse(lines, "`%.60s` where the line `%s` must be", line, key);
    lines->key = key;
    lines->words = line + strlen(key);
    strsep(&lines->words, " ");
    return true;
}

char *lines_word(struct lines *lines) {
    return strsep(&lines->words, " ");
}

bool lines_text(struct lines *lines, char **text) {
    const char *word = lines_word(lines);
    if (word == NULL)
        return lines_refuse(lines, "the line `%s` has too few words", lines->key);
    char *decoded = strdup(word);
    if (decoded == NULL)
        return fail_memory(lines->failure);
    if (!text_decode(decoded) || !text_is_utf8(decoded)) {
        free(decoded);
        return lines_refuse(lines, "`%.60s` is not percent-encoded UTF-8", word);
    }
    *text = decoded;
    return true;
}

bool lines_name(struct lines *lines, char **name) {
    if (!lines_text(lines, name))
        return false;
    return **name != '\0' || lines_refuse(lines, "the line `%s` has an empty name", lines->key);
}

bool lines_long(struct lines *lines, long low, long high, long *value) {
    const char *word = lines_word(lines);
    if (word != NULL && text_is_long(word, value) && *value >= low && *value <= high)
        return true;
    return lines_refuse(lines, "%s: `%.60s` must be a whole number from %ld to %ld", lines->key,
                        word == NULL ? "" : word, low, high);
}

bool lines_int(struct lines *lines, int low, int high, int *value) {
    long number = 0;
    if (!lines_long(lines, low, high, &number))
        return false;
    *value = (int)number;
    return true;
}

bool lines_double(struct lines *lines, double *value) {
    const char *word = lines_word(lines);
    if (word != NULL && text_is_double(word, value))
        return true;
    return lines_refuse(lines, "%s: `%.60s` must be a finite number", lines->key, word == NULL ? "" : word);
}

bool lines_float(struct lines *lines, float *value) {
    double number = 0;
    if (!lines_double(lines, &number))
        return false;
    if (number < -(double)FLT_MAX || number > (double)FLT_MAX)
        return lines_refuse(lines, "%s: %g is beyond float32", lines->key, number);
    *value = (float)number;
    return true;
}

bool lines_done(struct lines *lines) {
    return lines->words == NULL || lines_refuse(lines, "the line `%s` has too many words", lines->key);
}

bool lines_end(struct lines *lines) {
    if (*lines->rest == '\0')
        return true;
    lines->number++;
    return lines_refuse(lines, "there is more after the line `%s`", lines->key);
}

bool lines_take_name(struct lines *lines, const char *key, char **name) {
    return lines_take(lines, key) && lines_name(lines, name) && lines_done(lines);
}

bool lines_take_int(struct lines *lines, const char *key, int low, int high, int *value) {
    return lines_take(lines, key) && lines_int(lines, low, high, value) && lines_done(lines);
}

bool lines_take_double(struct lines *lines, const char *key, double *value) {
    return lines_take(lines, key) && lines_double(lines, value) && lines_done(lines);
}
