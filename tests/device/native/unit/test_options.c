/* The options of the commands of edgeseq-run. */
#include "check.h"
#include "measure/options.h"

/* The options of a line of words, which are parted by one blank; `line` is cut up and must live on. */
static bool parse(char *line, int command, struct options *options, struct failure *failure) {
    static char *argv[16];
    int argc = 0;
    for (char *word; (word = strsep(&line, " ")) != NULL;)
        argv[argc++] = word;
    argv[argc] = NULL;
    return options_parse(argc, argv, command, 1, 2, "one or two", options, failure);
}

static void what_is_not_said_has_its_default(void) {
    struct options options;
    struct failure failure = {0};
    char line[] = "predict art";
    CHECK(parse(line, PREDICT, &options, &failure));
    CHECK_TEXT(options.library, NULL);
    CHECK_LONG(options.threads, 1);
    CHECK_LONG(options.limits.steady_runs, 1000);
    CHECK_LONG(options.operands_count, 1);
}

static void options_may_stand_anywhere(void) {
    struct options options;
    struct failure failure = {0};
    char line[] = "predict --threads 2 art --library=lib - --json";
    CHECK(parse(line, PREDICT, &options, &failure));
    CHECK_LONG(options.threads, 2);
    CHECK_TEXT(options.library, "lib");
    CHECK(options.json);
    CHECK_LONG(options.operands_count, 2);
    CHECK_TEXT(options.operands[0], "art");
    CHECK_TEXT(options.operands[1], "-");
}

static void numbers_are_whole_or_not(void) {
    struct options options;
    struct failure failure = {0};
    char line[] = "measure ram --warmup-s 0.25 --spawned-ns 123456789012 --steady-runs 7";
    CHECK(parse(line, MEASURE, &options, &failure));
    CHECK_NEAR(options.limits.warmup_s, 0.25, 0);
    CHECK_LONG(options.spawned_ns, 123456789012);
    CHECK_LONG(options.limits.steady_runs, 7);
}

static void after_help_nothing_counts(void) {
    struct options options;
    struct failure failure = {0};
    char line[] = "check -h --no-such-thing", other[] = "check a b c --help";
    CHECK(parse(line, CHECK_LIBRARY, &options, &failure));
    CHECK(options.help);
    CHECK(parse(other, CHECK_LIBRARY, &options, &failure));
    CHECK(options.help);
}

static void wrong_words_are_named(void) {
    static const char *const WRONG[][2] = {
        {"stream", "stream: give one or two; see: edgeseq-run stream --help"},
        {"stream a b c", "stream: give one or two"},
        {"stream a --json", "there is no option --json"},
        {"stream a --speed", "there is no option --speed"},
        {"stream a -l", "there is no option -l"},
        {"stream a --logits=no", "there is no option --logits=no"},
        {"stream a --lib x", "there is no option --lib"},
        {"stream a --every", "a value is needed by --every"},
        {"stream a --every 0", "--every is 0, must be a whole number from 1 to"},
        {"stream a --threads 257", "--threads is 257"},
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct options options;
        struct failure failure = {0};
        char line[64];
        strcpy(line, WRONG[i][0]);
        if (CHECK(!parse(line, STREAM, &options, &failure)))
            CHECK_FAILURE(failure, USAGE, WRONG[i][1]);
    }
}

int main(void) {
    what_is_not_said_has_its_default();
    options_may_stand_anywhere();
    numbers_are_whole_or_not();
    after_help_nothing_counts();
    wrong_words_are_named();
    return CHECKED;
}
