#include <math.h>

#include "answer/answer.h"
#include "check.h"

static char *labels[] = {"circle", "line", "rest"};

static struct sheet sheet_with(double threshold) {
    return (struct sheet){
        .labels_count = 3, .labels = labels, .rejects = threshold > 0, .rejection_threshold = threshold};
}

static void the_answer_is_the_softmax_in_double(void) {
    struct sheet sheet = sheet_with(0);
    struct answer answer;
    struct failure failure;
    float logits[] = {1.5f, -0.25f, 3};
    CHECK(answer_of(&sheet, logits, &answer, &failure));
    CHECK_TEXT(answer.label, "rest");
    CHECK_LONG(answer.nearest, 2);
    CHECK_NEAR(answer.probability, exp(3) / (exp(1.5) + exp(-0.25) + exp(3)), 1e-15);
}

static void large_logits_do_not_overflow(void) {
    struct sheet sheet = sheet_with(0);
    struct answer answer;
    struct failure failure;
    float logits[] = {3e38f, -3e38f, 3e38f};
    CHECK(answer_of(&sheet, logits, &answer, &failure));
    CHECK_TEXT(answer.label, "circle");
    CHECK_NEAR(answer.probability, 0.5, 0);
}

static void logits_that_differ_by_less_than_a_rounding_are_equal(void) {
    struct sheet sheet = sheet_with(0);
    struct answer answer;
    struct failure failure;
    float logits[] = {-1, 0, 1e-30f};
    CHECK(answer_of(&sheet, logits, &answer, &failure));
    CHECK_TEXT(answer.label, "line");
}

static void an_answer_below_the_threshold_is_none_of_the_classes(void) {
    struct sheet sheet = sheet_with(0.5);
    struct answer answer;
    struct failure failure;
    float even[] = {1, 1.25f, 1}, sure[] = {1, 9, 1};
    CHECK(answer_of(&sheet, even, &answer, &failure));
    CHECK_TEXT(answer.label, NULL);
    CHECK_LONG(answer.nearest, 1);
    CHECK(answer.probability < 0.5 && answer.probability > 1 / 3.0);
    CHECK(answer_of(&sheet, sure, &answer, &failure));
    CHECK_TEXT(answer.label, "line");
}

static void an_answer_at_the_threshold_is_given(void) {
    struct sheet sheet = sheet_with(0.5);
    struct answer answer;
    struct failure failure;
    float logits[] = {1, 1, -1e30f};
    CHECK(answer_of(&sheet, logits, &answer, &failure));
    CHECK_TEXT(answer.label, "circle");
}

static void nan_and_infinity_are_no_answer(void) {
    struct sheet sheet = sheet_with(0);
    struct answer answer;
    struct failure failure;
    float no_number[] = {1, NAN, 2}, infinite[] = {1, 2, INFINITY};
    CHECK(!answer_of(&sheet, no_number, &answer, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "NaN or infinity");
    CHECK(!answer_of(&sheet, infinite, &answer, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "NaN or infinity");
}

int main(void) {
    the_answer_is_the_softmax_in_double();
    large_logits_do_not_overflow();
    logits_that_differ_by_less_than_a_rounding_are_equal();
    an_answer_below_the_threshold_is_none_of_the_classes();
    an_answer_at_the_threshold_is_given();
    nan_and_infinity_are_no_answer();
    return CHECKED;
}
