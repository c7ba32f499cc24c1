/* Numbers and texts from outside. */
#include "base/text.h"
#include "check.h"

static void whole_numbers_are_taken_as_a_long_holds_them(void) {
    long value = 0;
    CHECK(text_is_long("0", &value) && value == 0);
    CHECK(text_is_long("-12", &value) && value == -12);
    CHECK(text_is_long("9223372036854775807", &value));
    CHECK(!text_is_long("9223372036854775808", &value));
    const char *const not[] = {"", "-", "+1", " 1", "1 ", "1.0", "0x10", "1e3", "--1", "1\n"};
    for (size_t i = 0; i < sizeof not/ sizeof *not; i++)
        CHECK(!text_is_long(not[i], &value));
}

static void numbers_are_taken_as_python_writes_them(void) {
    double value = 0;
    CHECK(text_is_double("1e-08", &value) && value == 1e-8);
    CHECK(text_is_double("-3.4028234663852886e+38", &value) && value < -3.4e38);
    CHECK(text_is_double("20", &value) && value == 20);
    CHECK(text_is_double("5.", &value) && text_is_double(".5", &value) && value == 0.5);
    const char *const not[] = {"",    ".",  "-",  "nan",   "inf",   "-inf", "0x1p3", "1e", "1e+",
                               "1,5", " 1", "1 ", "1e309", "1e5.0", "+1",   "1_000", "e5", ".e5"};
    for (size_t i = 0; i < sizeof not/ sizeof *not; i++)
        CHECK(!text_is_double(not[i], &value));
}

static void an_option_out_of_its_limits_is_named_with_them(void) {
    struct failure failure;
    long whole = 0;
    double number = 0;
    CHECK(text_long("--threads", "4", 1, 64, &whole, &failure) && whole == 4);
    CHECK(!text_long("--threads", "65", 1, 64, &whole, &failure));
    CHECK_FAILURE(failure, USAGE, "--threads is 65, must be a whole number from 1 to 64");
    CHECK(!text_long("--threads", "two", 1, 64, &whole, &failure));
    CHECK_FAILURE(failure, USAGE, "--threads is two");
    CHECK(text_double("--warmup-s", "0.5", 0, 60, &number, &failure) && number == 0.5);
    CHECK(!text_double("--warmup-s", "-1", 0, 60, &number, &failure));
    CHECK_FAILURE(failure, USAGE, "--warmup-s is -1, must be a number from 0 to 60");
    CHECK(!text_double("--warmup-s", "nan", 0, 60, &number, &failure));
}

static void percent_encoding_is_undone(void) {
    char text[] = "gr%C3%B6%c3%9fe%20100%25", nothing[] = "";
    CHECK(text_decode(text));
    CHECK_TEXT(text, "größe 100%");
    CHECK(text_decode(nothing));
    char wrong[][8] = {"%", "%4", "%4g", "%g4", "a%00b", "%%41", "%-1", "% 1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(!text_decode(wrong[i]));
}

static void only_utf_8_is_utf_8(void) {
    const char *const right[] = {"",
                                 "plain",
                                 "größe",
                                 "\xe2\x82\xac",
                                 "\xf0\x9f\x8e\xa4",
                                 "\xf4\x8f\xbf\xbf",
                                 "\xed\x9f\xbf",
                                 "\xee\x80\x80"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        CHECK(text_is_utf8(right[i]));
    const char *const wrong[] = {"\xff",
                                 "\x80",
                                 "\xc3",
                                 "\xc3z",
                                 "\xc0\x80",
                                 "\xe0\x80\x80",
                                 "\xed\xa0\x80",
                                 "\xf4\x90\x80\x80",
                                 "\xf8\x88\x80\x80\x80",
                                 "\xf0\x9f\x8e",
                                 "\xf0\x80\x80\x80"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(!text_is_utf8(wrong[i]));
}

int main(void) {
    whole_numbers_are_taken_as_a_long_holds_them();
    numbers_are_taken_as_python_writes_them();
    an_option_out_of_its_limits_is_named_with_them();
    percent_encoding_is_undone();
    only_utf_8_is_utf_8();
    return CHECKED;
}
