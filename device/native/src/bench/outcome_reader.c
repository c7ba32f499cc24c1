#include "bench/outcome_reader.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { DEPTH_MAX = 8, LINES_MAX = 1000 };

static const char *json_value(const char *at, int depth);

static const char *json_string(const char *at) {
    for (at++; *at != '"'; at++) {
        if ((unsigned char)*at < 0x20 || (*at == '\\' && *++at == '\0'))
            return NULL;
    }
    return at + 1;
}

/* Behind the members of a list or an object, whose bracket is at `at`; NULL where they are none. */
static const char *json_members(const char *at, int depth) {
    char closing = *at == '[' ? ']' : '}';
    at += 1 + strspn(at + 1, " ");
    if (*at == closing)
        return at + 1;
    for (;; at += 1 + strspn(at + 1, " ")) {
        if (closing == '}') {
            at = *at == '"' ? json_string(at) : NULL;
            if (at == NULL || *at != ':')
                return NULL;
            at += 1 + strspn(at + 1, " ");
        }
        at = json_value(at, depth - 1);
        if (at == NULL || (*at != ',' && *at != closing))
            return NULL;
        if (*at == closing)
            return at + 1;
    }
}

/* Behind the value in JSON that begins at `at`; NULL where there is none. Escapes are not looked into. */
static const char *json_value(const char *at, int depth) {
    static const char WORDS[][6] = {"true", "false", "null"};
    if (depth == 0)
        return NULL;
    if (*at == '"')
        return json_string(at);
    if (*at == '[' || *at == '{')
        return json_members(at, depth);
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (strncmp(at, WORDS[i], strlen(WORDS[i])) == 0)
            return at + strlen(WORDS[i]);
    size_t size = strspn(at, "+-.0123456789eE");
    char number[64];
    double value;
    if (size == 0 || size >= sizeof number)
        return NULL;
    memcpy(number, at, size);
    number[size] = '\0';
    return text_is_double(number, &value) ? at + size : NULL;
}

bool outcome_is_json(const char *text) {
    const char *end = json_value(text, DEPTH_MAX);
    return end != NULL && *end == '\0';
}

/* The next word of a line, whose rest then begins behind the blank; "" at its end. */
static char *next_word(char **rest) {
    char *word = strsep(rest, " ");
    if (*rest == NULL)
        *rest = word + strlen(word);
    return word;
}

static bool read_warm_up(char *rest, struct outcome *outcome) {
    return text_is_long(next_word(&rest), &outcome->warmup_runs) && outcome->warmup_runs > 0 &&
           text_is_double(next_word(&rest), &outcome->warmup_s) &&
           ((outcome->warmup_settled = strcmp(rest, "true") == 0) || strcmp(rest, "false") == 0);
}

static bool read_samples(char *rest, struct outcome *outcome) {
    long count = 0, nanoseconds = 0;
    size_t room = strlen(rest) / 2 + 1; /* each takes a blank and a digit at least */
    if (outcome->samples_ms != NULL || !text_is_long(next_word(&rest), &count) || count < 1 ||
        (size_t)count > room)
        return false;
    outcome->samples_ms = calloc((size_t)count, sizeof *outcome->samples_ms);
    if (outcome->samples_ms == NULL)
        return false;
    for (; outcome->samples_count < (size_t)count; outcome->samples_count++) {
        if (!text_is_long(next_word(&rest), &nanoseconds) || nanoseconds < 0)
            return false;
        outcome->samples_ms[outcome->samples_count] = (double)nanoseconds / 1e6;
    }
    return *rest == '\0';
}

static bool read_named(const char *item, char *rest, struct outcome *outcome) {
    struct outcome_line line = {.item = item, .name = next_word(&rest), .text = rest};
    bool is_json = strcmp(item, "missing") != 0;
    if (outcome->lines_count == LINES_MAX || *line.name == '\0' || *line.text == '\0' ||
        (is_json && !outcome_is_json(line.text)))
        return false;
    outcome->lines[outcome->lines_count++] = line;
    return true;
}

/* Takes in a line between the first and the last. */
static bool read_line(char *line, struct outcome *outcome) {
    static const char NAMED[][8] = {"value", "missing", "setting", "phase"};
    char *rest = line;
    const char *item = next_word(&rest);
    if (strcmp(item, "runtime") == 0) {
        outcome->runtime = rest;
        return *rest != '\0';
    }
    if (strcmp(item, "frames") == 0)
        return text_is_long(rest, &outcome->frames) && outcome->frames > 0;
    if (strcmp(item, "warmup") == 0)
        return read_warm_up(rest, outcome);
    if (strcmp(item, "samples") == 0)
        return read_samples(rest, outcome);
    for (size_t i = 0; i < sizeof NAMED / sizeof *NAMED; i++)
        if (strcmp(item, NAMED[i]) == 0)
            return read_named(item, rest, outcome);
    return false;
}

/* "error EXIT_CODE MESSAGE": what became of the measurement. Always false. */
static bool read_error(char *rest, struct failure *failure) {
    long exit_code = 0;
    if (!text_is_long(next_word(&rest), &exit_code) || exit_code < 1 || exit_code > 125)
        exit_code = FAULT;
    return fail(failure, (int)exit_code, "%s", *rest == '\0' ? "failed without a reason" : rest);
}

static bool read_lines(struct outcome *outcome, struct failure *failure) {
    char *rest = outcome->content, *line = strsep(&rest, "\n");
    if (strcmp(line, "edgeseq-outcome 1") != 0)
        return fail(failure, FAULT, "the worker ended without an outcome");
    /* Without its last line the worker did not come to the end, and the line before may be half of one. */
    size_t size = rest == NULL ? 0 : strlen(rest);
    if (size < 4 || strcmp(rest + size - 4, "end\n") != 0 || (size > 4 && rest[size - 5] != '\n'))
        return fail(failure, FAULT, "the worker ended within its outcome");
    while ((line = strsep(&rest, "\n")) != NULL && strcmp(line, "end") != 0) {
        if (strncmp(line, "error ", strlen("error ")) == 0)
            return read_error(line + strlen("error "), failure);
        char shown[40] = {0};
        strncpy(shown, line, sizeof shown - 1);
        if (!read_line(line, outcome))
            return fail(failure, FAULT, "the worker's outcome has a line that is none: %s", shown);
    }
    return true;
}

bool outcome_read(char *content, struct outcome *outcome, struct failure *failure) {
    *outcome = (struct outcome){.content = content == NULL ? strdup("") : content};
    outcome->lines = calloc(LINES_MAX, sizeof *outcome->lines);
    bool read = outcome->content != NULL && outcome->lines != NULL ? read_lines(outcome, failure)
                                                                   : fail_memory(failure);
    if (!read)
        outcome_free(outcome);
    return read;
}

const struct outcome_line *outcome_find(const struct outcome *outcome, const char *item, const char *name) {
    for (size_t i = 0; i < outcome->lines_count; i++)
        if (strcmp(outcome->lines[i].item, item) == 0 && strcmp(outcome->lines[i].name, name) == 0)
            return &outcome->lines[i];
    return NULL;
}

void outcome_free(struct outcome *outcome) {
    free(outcome->content);
    free(outcome->lines);
    free(outcome->samples_ms);
    *outcome = (struct outcome){0};
}
