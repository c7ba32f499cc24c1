#include "board/root_file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char AROUND[] = " \t\n";

enum { SIZE_MAX_BYTES = 1 << 20 }; /* /proc/cpuinfo of 256 processors is a third of it */

static char *read_all(int file) {
    size_t size = 0, room = 4096;
    char *text = malloc(room + 1);
    while (text != NULL) {
        ssize_t got = read(file, text + size, room - size);
        if (got < 0) {
            free(text);
            return NULL;
        }
        size += (size_t)got;
        if (got == 0 || size == SIZE_MAX_BYTES)
            break;
        if (size < room)
            continue;
        char *larger = realloc(text, 2 * room + 1);
        if (larger == NULL)
            free(text);
        text = larger;
        room *= 2;
    }
    if (text != NULL)
        text[size] = '\0';
    return text;
}

/* Takes away what surrounds a text. */
static void strip(char *text) {
    size_t before = strspn(text, AROUND), size = strlen(text + before);
    while (size > 0 && strchr(AROUND, text[before + size - 1]) != NULL)
        size--;
    memmove(text, text + before, size);
    text[size] = '\0';
}

char *root_file_text(const char *root, const char *path) {
    char whole[PATH_MAX];
    int size = snprintf(whole, sizeof whole, "%s%s", strcmp(root, "/") == 0 ? "" : root, path);
    if (size < 0 || (size_t)size >= sizeof whole)
        return NULL;
    int file = open(whole, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return NULL;
    char *text = read_all(file);
    close(file);
    if (text != NULL)
        strip(text);
    return text;
}

char *root_file_field(const char *text, const char *name) {
    for (const char *line = text; line != NULL && *line != '\0';) {
        size_t size = strcspn(line, "\n"), wanted = strlen(name);
        const char *colon = memchr(line, ':', size);
        const char *first = line + strspn(line, " \t");
        if (colon != NULL && first + wanted <= colon && strncmp(first, name, wanted) == 0 &&
            strspn(first + wanted, " \t") == (size_t)(colon - first) - wanted) {
            char *value = strndup(colon + 1, size - (size_t)(colon + 1 - line));
            if (value != NULL)
                strip(value);
            return value;
        }
        line += size;
        line += *line == '\n';
    }
    return NULL;
}

bool root_file_is_digits(const char *text) {
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}
