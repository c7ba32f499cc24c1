/* What a unit test is made of: a program that checks a module and says which checks failed.
 *
 *     int main(void) {
 *         CHECK(text_is_blank(""));
 *         return CHECKED;
 *     }
 *
 * A check that fails is printed with its line, and the test goes on. Test after test is compiled with every
 * module, with sanitizers, and run in a folder of its own: tests/device/native/test_units.py. */
#ifndef EDGESEQ_CHECK_H
#define EDGESEQ_CHECK_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/failure.h"

static int check_failed;

/* What main gives back: 1 once a check has failed. */
#define CHECKED (check_failed ? 1 : 0)

#define CHECK(condition) check_that((condition), __FILE__, __LINE__, #condition)

/* Two whole numbers, of any type that fits into a long. */
#define CHECK_LONG(value, expected) check_long((long)(value), (long)(expected), __FILE__, __LINE__, #value)

/* Two numbers no further apart than `tolerance`; NaN is never near. */
#define CHECK_NEAR(value, expected, tolerance) \
    check_near((value), (expected), (tolerance), __FILE__, __LINE__, #value)

/* Two texts, either of which may be NULL. */
#define CHECK_TEXT(value, expected) check_text((value), (expected), __FILE__, __LINE__, #value)

/* That `failure` has this exit code and `part` somewhere in its message. */
#define CHECK_FAILURE(failure, code, part) check_failure(&(failure), (code), (part), __FILE__, __LINE__)

static inline bool check_that(bool right, const char *file, int line, const char *condition) {
    if (!right) {
        check_failed = 1;
        fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    }
    return right;
}

static inline bool check_long(long value, long expected, const char *file, int line, const char *name) {
    if (value != expected) {
        check_failed = 1;
        fprintf(stderr, "%s:%d: %s is %ld, not %ld\n", file, line, name, value, expected);
    }
    return value == expected;
}

static inline bool check_near(double value, double expected, double tolerance, const char *file, int line,
                              const char *name) {
    bool right = fabs(value - expected) <= tolerance;
    if (!right) {
        check_failed = 1;
        fprintf(stderr, "%s:%d: %s is %.17g, not %.17g\n", file, line, name, value, expected);
    }
    return right;
}

static inline bool check_text(const char *value, const char *expected, const char *file, int line,
                              const char *name) {
    bool right = value == expected || (value && expected && strcmp(value, expected) == 0);
    if (!right) {
        check_failed = 1;
        fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", file, line, name, value ? value : "(null)",
                expected ? expected : "(null)");
    }
    return right;
}

static inline bool check_failure(const struct failure *failure, int exit_code, const char *part,
                                 const char *file, int line) {
    bool right = failure->exit_code == exit_code && strstr(failure->message, part);
    if (!right) {
        check_failed = 1;
        fprintf(stderr, "%s:%d: failed with %d \"%s\", not with %d \"...%s...\"\n", file, line,
                failure->exit_code, failure->message, exit_code, part);
    }
    return right;
}

#endif
