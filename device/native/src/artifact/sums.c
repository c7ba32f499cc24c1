#include "artifact/sums.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { HASH = 64, NAME_AT = HASH + 2, FILES_MAX = 1024 };

static bool is_blank(char character) {
    return character == ' ' || (character >= '\t' && character <= '\r');
}

bool sums_plain_name(const char *name) {
    for (const char *at = name; *at != '\0'; at++)
        if (*at == '/' || *at == '\\' || (*at > 0 && *at < ' ') || *at == 0x7f)
            return false;
    return *name != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

const char *sums_find(const struct sums *sums, const char *name) {
    for (int i = 0; i < sums->count; i++)
        if (strcmp(sums->sums[i].name, name) == 0)
            return sums->sums[i].sha256;
    return NULL;
}

/* 64 digits, a blank, a blank or *, the name without blanks around it. */
static bool is_sum_line(const char *line) {
    if (strspn(line, "0123456789abcdef") != HASH || line[HASH] != ' ')
        return false;
    if (line[HASH + 1] != ' ' && line[HASH + 1] != '*')
        return false;
    const char *name = line + NAME_AT;
    return *name != '\0' && !is_blank(*name) && !is_blank(name[strlen(name) - 1]);
}

static bool add(struct sums *sums, const char *line) {
    struct sum *grown = realloc(sums->sums, ((size_t)sums->count + 1) * sizeof *grown);
    if (grown == NULL)
        return false;
    sums->sums = grown;
    struct sum *sum = &grown[sums->count];
    memcpy(sum->sha256, line, HASH);
    sum->sha256[HASH] = '\0';
    sum->name = strdup(line + NAME_AT);
    if (sum->name == NULL)
        return false;
    sums->count++;
    return true;
}

static bool take_line(struct sums *sums, const char *line, const char *path, long number,
                      struct failure *failure) {
    if (!is_sum_line(line) || !text_is_utf8(line))
        return fail_export(failure, "%s:%ld: not a `sha256  name` line", path, number);
    const char *name = line + NAME_AT;
    if (!sums_plain_name(name))
        return fail(failure, BAD_DATA, "%s:%ld: the name is not a plain file name; refused", path, number);
    if (sums_find(sums, name) != NULL || strcmp(name, "SHA256SUMS") == 0 || sums->count == FILES_MAX)
        return fail_export(failure, "%s:%ld: %s must not be listed here", path, number, name);
    return add(sums, line) || fail_memory(failure);
}

/* `text` ends with a NUL and is cut into lines. */
static bool take_lines(struct sums *sums, char *text, const char *path, struct failure *failure) {
    long number = 0;
    while (*text != '\0') {
        char *line = text;
        text += strcspn(text, "\n");
        if (text > line && text[-1] == '\r')
            text[-1] = '\0';
        if (*text != '\0')
            *text++ = '\0';
        if (!take_line(sums, line, path, ++number, failure))
            return false;
    }
    return true;
}

bool sums_parse(const char *text, size_t size, const char *path, struct sums *sums, struct failure *failure) {
    *sums = (struct sums){0};
    if (size > 0 && memchr(text, '\0', size) != NULL)
        return fail_export(failure, "%s: not text", path);
    char *copy = size == 0 ? strdup("") : strndup(text, size);
    if (copy == NULL)
        return fail_memory(failure);
    bool taken = take_lines(sums, copy, path, failure);
    free(copy);
    if (!taken)
        sums_free(sums);
    return taken;
}

void sums_free(struct sums *sums) {
    for (int i = 0; i < sums->count; i++)
        free(sums->sums[i].name);
    free(sums->sums);
    *sums = (struct sums){0};
}
