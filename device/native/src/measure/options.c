#include "measure/options.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { ANSWERING = PREDICT | STREAM, RUNNING = ANSWERING | CHECK_LIBRARY | MEASURE, ANY = RUNNING | BENCH };
enum { RUNS_MAX = 1000000000, SECONDS_MAX = 1000000, RATE_MAX = 100000000, THREADS_MAX = 256 };

enum type { FLAG, TEXT, WHOLE, DECIMAL };

/* An option, the commands that take it, where its value goes, and the limits of a number. */
struct row {
    char name[18];
    unsigned char type, commands;
    unsigned short offset;
    int low, high; /* 0: as large as can be */
};

#define TO(field) offsetof(struct options, field)

static const struct row ROWS[] = {
    {"help", FLAG, ANY, TO(help), 0, 0},
    {"library", TEXT, ANY, TO(library), 0, 0},
    {"library-version", TEXT, ANY, TO(library_version), 0, 0},
    {"threads", WHOLE, RUNNING, TO(threads), 1, THREADS_MAX},
    {"threads", TEXT, BENCH, TO(threads_list), 0, 0},
    {"input", TEXT, ANSWERING | MEASURE, TO(input), 0, 0},
    {"rate", WHOLE, ANSWERING, TO(rate_hz), 1, RATE_MAX},
    {"json", FLAG, PREDICT, TO(json), 0, 0},
    {"json", TEXT, BENCH, TO(json_path), 0, 0},
    {"quick", FLAG, BENCH, TO(quick), 0, 0},
    {"every", WHOLE, STREAM, TO(every), 1, RUNS_MAX},
    {"logits", FLAG, STREAM, TO(logits), 0, 0},
    {"artifact", TEXT, MEASURE, TO(artifact), 0, 0},
    {"agent", TEXT, MEASURE, TO(agent), 0, 0},
    {"frames", WHOLE, MEASURE, TO(frames), 1, INT_MAX},
    {"spawned-ns", WHOLE, MEASURE, TO(spawned_ns), 0, 0},
    {"warmup-runs", WHOLE, MEASURE, TO(limits.warmup_runs), 1, RUNS_MAX},
    {"warmup-s", DECIMAL, MEASURE, TO(limits.warmup_s), 0, SECONDS_MAX},
    {"warmup-max-s", DECIMAL, MEASURE, TO(limits.warmup_max_s), 0, SECONDS_MAX},
    {"steady-runs", WHOLE, MEASURE, TO(limits.steady_runs), 1, RUNS_MAX},
    {"steady-s", DECIMAL, MEASURE, TO(limits.steady_s), 0, SECONDS_MAX},
    {"steady-max-s", DECIMAL, MEASURE, TO(limits.steady_max_s), 0, SECONDS_MAX},
    {"instruction-runs", WHOLE, MEASURE, TO(limits.instruction_runs), 1, RUNS_MAX},
};

/* The option of that name, so many characters long; NULL where the command has none. */
static const struct row *find(const char *name, size_t length, int command) {
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        if ((ROWS[i].commands & command) != 0 && strlen(ROWS[i].name) == length &&
            memcmp(ROWS[i].name, name, length) == 0)
            return &ROWS[i];
    return NULL;
}

static bool take(const struct row *row, const char *text, struct options *options, struct failure *failure) {
    char option[sizeof row->name + 2];
    void *field = (char *)options + row->offset;
    snprintf(option, sizeof option, "--%s", row->name);
    switch (row->type) {
    case FLAG:
        *(bool *)field = true;
        return true;
    case WHOLE:
        return text_long(option, text, row->low, row->high == 0 ? LONG_MAX : row->high, field, failure);
    case DECIMAL:
        return text_double(option, text, row->low, row->high, field, failure);
    default:
        *(const char **)field = text;
        return true;
    }
}

static bool misused(const char *command, const char *what, const char *of, struct failure *failure) {
    return fail(failure, USAGE, "%s: %s%s; see: edgeseq-run %s --help", command, what, of, command);
}

/* The option argv[*at], and its value, which stands behind a = or is the next word. */
static bool take_option(char **argv, int *at, int command, struct options *options, struct failure *failure) {
    const char *word = strcmp(argv[*at], "-h") == 0 ? "--help" : argv[*at], *name = word + 2;
    size_t length = strcspn(name, "=");
    const struct row *row = word[1] == '-' ? find(name, length, command) : NULL;
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    if (row == NULL || (row->type == FLAG && value != NULL))
        return misused(argv[0], "there is no option ", word, failure);
    if (row->type != FLAG && value == NULL && (value = argv[++*at]) == NULL)
        return misused(argv[0], "a value is needed by ", word, failure);
    return take(row, value, options, failure);
}

bool options_parse(int argc, char **argv, int command, int fewest, int most, const char *operands,
                   struct options *options, struct failure *failure) {
    *options = (struct options){.threads = 1, .every = 1, .limits = LIMITS_DEFAULT, .operands = argv + 1};
    for (int i = 1; i < argc && !options->help; i++) {
        if (argv[i][0] != '-' || argv[i][1] == '\0') /* - is stdin */
            options->operands[options->operands_count++] = argv[i];
        else if (!take_option(argv, &i, command, options, failure))
            return false;
    }
    if (options->help || (options->operands_count >= fewest && options->operands_count <= most))
        return true;
    return misused(argv[0], "give ", operands, failure);
}

int options_help(const char *use) {
    printf("%s"
           "  --threads N        of the model [default: 1]\n"
           "  --library FILE     libLiteRt.so [default: beside edgeseq-run]\n"
           "  --library-version VERSION   of its package [default: as libLiteRt.version beside it says]\n",
           use);
    return 0;
}
