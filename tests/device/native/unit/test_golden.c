/* Golden vectors against a sheet of 3 inputs, 2 features and 3 labels. */
#include <unistd.h>

#include "archive.h"
#include "artifact/golden.h"
#include "check.h"

static const float VALUES[] = {0.5F, -1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
static const struct sheet SHEET = {.features_count = 2, .outputs_count = 3, .golden_count = 3};

static struct archive *empty(void) {
    struct archive *archive = calloc(1, sizeof *archive);
    if (archive == NULL)
        abort();
    return archive;
}

/* Inputs of 3, 1 and 2 frames; `name` (NULL: none) has other type, rows and columns. A pad of one byte more
 * a member moves them all through every alignment. */
static struct archive *with(const char *name, const char *type, int rows, int columns, const void *values) {
    static const struct {
        const char *name;
        int rows, columns;
    } ARRAYS[] = {{"features_00.npy", 3, 2},
                  {"features_01.npy", 1, 2},
                  {"features_02.npy", 2, 2},
                  {"reference_tflite.npy", 3, 3}};
    struct archive *archive = empty();
    for (size_t i = 0; i < sizeof ARRAYS / sizeof *ARRAYS; i++) {
        archive_add(archive, i == 0 ? "0" : i == 1 ? "01" : i == 2 ? "012" : "0123", "padding", i + 1);
        if (name != NULL && strcmp(ARRAYS[i].name, name) == 0)
            archive_add_array(archive, name, type, rows, columns, values);
        else
            archive_add_array(archive, ARRAYS[i].name, "<f4", ARRAYS[i].rows, ARRAYS[i].columns, VALUES);
    }
    return archive;
}

/* Frees the archive; that of the golden vectors is of just its size. */
static bool parse(struct archive *archive, struct golden *golden, struct failure *failure) {
    archive_end(archive);
    struct bytes bytes = {.data = malloc(archive->size), .size = archive->size};
    if (bytes.data == NULL)
        abort();
    memcpy(bytes.data, archive->data, archive->size);
    free(archive);
    bool parsed = golden_parse(&bytes, "golden.npz", &SHEET, golden, failure);
    CHECK(bytes.data == NULL && bytes.size == 0);
    return parsed;
}

static void arrays_are_read_wherever_they_lie(void) {
    struct golden golden;
    struct failure failure;
    if (!CHECK(parse(with(NULL, "", 0, 0, NULL), &golden, &failure)))
        return;
    CHECK_LONG(golden.count, 3);
    CHECK_LONG(golden.features[1].dims[0], 1);
    for (int i = 0; i < 3; i++) {
        const float *values = golden.features[i].data;
        CHECK(values[0] == 0.5F && values[1] == -1);
    }
    const float *reference = golden.reference.data;
    CHECK(reference[8] == 8);
    CHECK(golden.step_reference.data == golden.reference.data);
    CHECK_LONG(golden_median(&golden), 2);
    golden_free(&golden);
    CHECK(golden.features == NULL && golden.count == 0);
}

static void the_step_form_has_answers_of_its_own_where_they_are_there(void) {
    struct golden golden;
    struct failure failure;
    struct archive *archive = with(NULL, "", 0, 0, NULL);
    archive_add_array(archive, "reference_tflite_step.npy", "<f4", 3, 3, VALUES + 1);
    if (!CHECK(parse(archive, &golden, &failure)))
        return;
    CHECK(((const float *)golden.step_reference.data)[0] == -1);
    CHECK(((const float *)golden.reference.data)[0] == 0.5F);
    golden_free(&golden);
}

static void arrays_that_do_not_fit_the_sheet_are_refused(void) {
    static const float WRONG[] = {0, 1, 2, NAN, -INFINITY, 0, 0, 0, 0, 0, 0, 0};
    static const struct {
        const char *name, *type;
        int rows, columns;
        const float *values;
        const char *said;
    } CASES[] = {
        {"features_01.npy", "<i4", 2, 2, VALUES, "features_01.npy: not of the type and shape"},
        {"features_01.npy", "<f8", 1, 1, VALUES, "its type is neither <f4 nor <i4"},
        {"features_01.npy", "<f4", 2, 3, VALUES, "features_01.npy: not of the type and shape"},
        {"features_01.npy", "<f4", 0, 2, VALUES, "features_01.npy: not of the type and shape"},
        {"features_02.npy", "<f4", 2, 2, WRONG, "golden.npz: features_02.npy: holds NaN or infinity"},
        {"reference_tflite.npy", "<f4", 2, 3, VALUES, "reference_tflite.npy: not of the type"},
        {"reference_tflite.npy", "<f4", 4, 3, VALUES, "reference_tflite.npy: not of the type"},
        {"reference_tflite.npy", "<f4", 3, 2, VALUES, "reference_tflite.npy: not of the type"},
        {"reference_tflite.npy", "<i4", 3, 3, VALUES, "reference_tflite.npy: not of the type"},
        {"reference_tflite.npy", "<f4", 3, 3, WRONG, "reference_tflite.npy: holds NaN or infinity"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct golden golden;
        struct failure failure = {0};
        CHECK(!parse(with(CASES[i].name, CASES[i].type, CASES[i].rows, CASES[i].columns, CASES[i].values),
                     &golden, &failure));
        CHECK_FAILURE(failure, BAD_DATA, CASES[i].said);
        CHECK(golden.features == NULL && golden.archive.data == NULL);
    }
}

static void step_answers_that_do_not_fit_are_refused(void) {
    struct golden golden;
    struct failure failure = {0};
    struct archive *archive = with(NULL, "", 0, 0, NULL);
    archive_add_array(archive, "reference_tflite_step.npy", "<f4", 3, 2, VALUES);
    CHECK(!parse(archive, &golden, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "reference_tflite_step.npy: not of the type and shape");
}

static void what_is_no_archive_or_lacks_an_array_is_refused(void) {
    struct golden golden;
    struct failure failure = {0};
    CHECK(!parse(empty(), &golden, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "golden.npz: features_00.npy is missing; export the artifact again");
    struct bytes nothing = {0};
    CHECK(!golden_parse(&nothing, "golden.npz", &SHEET, &golden, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "golden.npz: cannot be read as .npz");
    struct archive *archive = empty();
    archive_add(archive, "features_00.npy", "", 0);
    CHECK(!parse(archive, &golden, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "features_00.npy: cannot be read as .npy");
}

static void the_median_is_the_lower_of_two_and_the_first_of_equals(void) {
    static const struct {
        long frames[4];
        int count, median;
    } CASES[] = {{{5}, 1, 0}, {{9, 3}, 2, 1}, {{7, 7, 7}, 3, 1}, {{9, 4, 8, 5}, 4, 3}, {{2, 9, 2, 2}, 4, 2}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct npy features[4] = {0};
        struct golden golden = {.count = CASES[i].count, .features = features};
        for (int j = 0; j < CASES[i].count; j++)
            features[j].dims[0] = CASES[i].frames[j];
        CHECK_LONG(golden_median(&golden), CASES[i].median);
    }
}

int main(void) {
    arrays_are_read_wherever_they_lie();
    the_step_form_has_answers_of_its_own_where_they_are_there();
    arrays_that_do_not_fit_the_sheet_are_refused();
    step_answers_that_do_not_fit_are_refused();
    what_is_no_archive_or_lacks_an_array_is_refused();
    the_median_is_the_lower_of_two_and_the_first_of_equals();
    return CHECKED;
}
