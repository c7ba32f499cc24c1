/* SHA256SUMS as edgeseq_device/artifact.py reads it. */
#include <stdlib.h>

#include "artifact/sums.h"
#include "check.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static bool parse(const char *text, struct sums *sums, struct failure *failure) {
    return sums_parse(text, strlen(text), "SHA256SUMS", sums, failure);
}

static void listed_names_are_found(void) {
    struct sums sums;
    struct failure failure;
    CHECK(parse(HASH "  a.txt\n" HASH " *größe b\r\n" HASH "  .c", &sums, &failure));
    CHECK_LONG(sums.count, 3);
    CHECK_TEXT(sums_find(&sums, "a.txt"), HASH);
    CHECK_TEXT(sums_find(&sums, "größe b"), HASH);
    CHECK_TEXT(sums_find(&sums, ".c"), HASH);
    CHECK_TEXT(sums_find(&sums, "a"), NULL);
    sums_free(&sums);
    CHECK(parse("", &sums, &failure) && sums.count == 0);
    CHECK(sums_parse(NULL, 0, "SHA256SUMS", &sums, &failure) && sums.count == 0);
}

static void a_line_that_is_none_is_named(void) {
    static const struct {
        const char *text, *said;
    } WRONG[] = {
        {HASH "  a\n\n", "SHA256SUMS:2: not a `sha256  name` line; export the artifact again"},
        {HASH " a\n", "SHA256SUMS:1: not a"},
        {HASH "0  a\n", "SHA256SUMS:1: not a"},
        {HASH "  \n", "SHA256SUMS:1: not a"},
        {HASH "\n", "SHA256SUMS:1: not a"},
        {HASH, "SHA256SUMS:1: not a"},
        {HASH "   a\n", "SHA256SUMS:1: not a"},
        {HASH "  a \n", "SHA256SUMS:1: not a"},
        {HASH "  \xff\n", "SHA256SUMS:1: not a"},
        {"A123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef  a\n", ":1: not a"},
        {HASH "  a/b\n", "SHA256SUMS:1: the name is not a plain file name; refused"},
        {HASH "  ..\n", ":1: the name is not a plain file name"},
        {HASH "  /etc/passwd\n", ":1: the name is not a plain file name"},
        {HASH "  a\\b\n", ":1: the name is not a plain file name"},
        {HASH "  a\x1b[2Jb\n", ":1: the name is not a plain file name"},
        {HASH "  a\n" HASH "  a\n", "SHA256SUMS:2: a must not be listed here"},
        {HASH "  SHA256SUMS\n", ":1: SHA256SUMS must not be listed here"},
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct sums sums;
        struct failure failure = {0};
        CHECK(!parse(WRONG[i].text, &sums, &failure));
        CHECK_FAILURE(failure, BAD_DATA, WRONG[i].said);
        CHECK(sums.count == 0 && sums.sums == NULL);
    }
}

static void a_text_with_a_nul_in_it_is_refused(void) {
    struct sums sums;
    struct failure failure;
    CHECK(!sums_parse(HASH "  a\0b\n", 69, "SHA256SUMS", &sums, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "SHA256SUMS: not text");
}

/* In memory of just that size: the text need not end with a NUL. */
static void a_text_cut_anywhere_is_refused_or_a_shorter_name(void) {
    const char text[] = HASH "  name.tflite";
    for (size_t size = 0; size < sizeof text; size++) {
        char *copy = malloc(size + (size == 0));
        struct sums sums;
        struct failure failure;
        if (!CHECK(copy != NULL))
            return;
        memcpy(copy, text, size);
        bool parsed = sums_parse(copy, size, "SHA256SUMS", &sums, &failure);
        CHECK(parsed == (size == 0 || (size > 66 && size < sizeof text)));
        sums_free(&sums);
        free(copy);
    }
}

static void more_files_than_an_artifact_can_have_are_refused(void) {
    enum { FILES = 1025, LINE = 72 };
    char *text = malloc(FILES * LINE + 1), *end = text;
    struct sums sums;
    struct failure failure;
    if (!CHECK(text != NULL))
        return;
    for (int i = 0; i < FILES; i++)
        end += sprintf(end, HASH "  f%04d\n", i);
    CHECK(!parse(text, &sums, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "SHA256SUMS:1025: f1024 must not be listed here");
    free(text);
}

int main(void) {
    listed_names_are_found();
    a_line_that_is_none_is_named();
    a_text_with_a_nul_in_it_is_refused();
    a_text_cut_anywhere_is_refused_or_a_shorter_name();
    more_files_than_an_artifact_can_have_are_refused();
    return CHECKED;
}
