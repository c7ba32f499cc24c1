#include <math.h>
#include <string.h>

#include "answer/input.h"
#include "base/finite.h"
#include "check.h"

static struct sheet sheet_of(enum front_end_kind kind) {
    struct sheet sheet = {.name = "made", .features_count = 3};
    sheet.element = kind == FRONT_TOKENS ? INT32 : FLOAT32;
    sheet.front_end.kind = kind;
    sheet.front_end.sample_rate_hz = kind == FRONT_LOG_MEL ? 8000 : 0;
    return sheet;
}

static void a_stream_is_by_itself_what_its_model_hears(void) {
    const struct {
        enum front_end_kind kind;
        enum input_kind input;
        long piece;
        const char *name;
    } cases[] = {
        {FRONT_LOG_MEL, INPUT_S16LE, 2, "sample"},
        {FRONT_STANDARDISE, INPUT_F32LE, 12, "row"},
        {FRONT_TOKENS, INPUT_FEATURES, 12, "row"},
        {FRONT_NONE, INPUT_FEATURES, 12, "row"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sheet sheet = sheet_of(cases[i].kind);
        enum input_kind kind;
        struct failure failure;
        CHECK(input_kind_of(NULL, &sheet, &kind, &failure));
        CHECK_LONG(kind, cases[i].input);
        CHECK_LONG(input_piece(&sheet, kind), cases[i].piece);
        CHECK_TEXT(input_piece_name(&sheet, kind), cases[i].name);
    }
}

static void a_kind_that_the_model_does_not_take_is_refused(void) {
    enum input_kind kind;
    struct failure failure;
    struct sheet sound = sheet_of(FRONT_LOG_MEL), series = sheet_of(FRONT_STANDARDISE);
    struct sheet text = sheet_of(FRONT_TOKENS);
    CHECK(input_kind_of("f32le", &sound, &kind, &failure));
    CHECK_LONG(input_piece(&sound, kind), 4);
    CHECK(!input_kind_of("wav", &sound, &kind, &failure));
    CHECK_FAILURE(failure, USAGE, "--input wav is none of features, s16le and f32le");
    CHECK(!input_kind_of("s16le", &series, &kind, &failure));
    CHECK_FAILURE(failure, USAGE, "made takes the readings of a series: --input f32le");
    CHECK(!input_kind_of("f32le", &text, &kind, &failure));
    CHECK_FAILURE(failure, USAGE, "made has no front end for readings");
}

static void another_rate_is_refused_with_what_to_do(void) {
    struct failure failure;
    struct sheet sound = sheet_of(FRONT_LOG_MEL), series = sheet_of(FRONT_STANDARDISE);
    struct sheet text = sheet_of(FRONT_TOKENS);
    CHECK(input_check_rate(&sound, 8000, &failure));
    CHECK(!input_check_rate(&sound, 16000, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "arecord -t raw -f S16_LE -c 1 -r 8000");
    CHECK(input_check_rate(&series, 50, &failure));
    series.front_end.sample_rate_hz = 100;
    CHECK(!input_check_rate(&series, 50, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "read the sensor at 100 Hz");
    CHECK(!input_check_rate(&text, 50, &failure));
    CHECK_FAILURE(failure, USAGE, "has no sample rate");
}

static bool check_plain(const void *bytes, size_t size, struct failure *failure) {
    struct sheet sheet = sheet_of(FRONT_STANDARDISE);
    return input_check_plain(&sheet, INPUT_F32LE, bytes, size, "x", failure);
}

static void a_file_with_a_header_is_no_plain_input(void) {
    struct failure failure;
    CHECK(check_plain("RIFFL", 3, &failure));
    CHECK(!check_plain("RIFFL", 4, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "x: a WAV file, not raw samples; record with arecord -t raw");
    CHECK(!check_plain("\x93NUMPY\1", 7, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "x: a .npy file");
}

static void text_is_no_plain_input(void) {
    static const char *const TEXTS[] = {
        "1.25\n2.50\n3.75\n4",
        "oil;load\r\n1;2.5\r\n",
        "{\"temperature\": 3}",
        "\xef\xbb\xbfoil,\xc2\xb0"
        "C\n1.25,2.5\n",
        "the last, cut off \xe2\x82",
    };
    struct failure failure;
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        CHECK(!check_plain(TEXTS[i], strlen(TEXTS[i]), &failure));
        CHECK_FAILURE(failure, BAD_DATA, "x: text, not float32 values; ");
    }
    CHECK(check_plain("1.25\n2.50\n3.75\n", 15, &failure));
}

static void values_that_look_like_text_are_values(void) {
    struct failure failure;
    float same[8];
    for (size_t i = 0; i < 8; i++)
        same[i] = 0.7f; /* "333?" */
    CHECK(check_plain(same, sizeof same, &failure));
    CHECK(check_plain("1.25\n2.50\n3.75\n\0", 16, &failure));
    CHECK(check_plain("1.25\n2.50\n3.75\n\x7f", 16, &failure));
    CHECK(check_plain("1.25\n2.50\n\xbf.75\n4", 16, &failure));
}

static void what_to_do_with_text_is_by_what_the_model_hears(void) {
    static const char TEXT[] = "1.25\n2.50\n3.75\n4.00\n";
    const struct {
        enum front_end_kind kind;
        enum input_kind input;
        const char *said, *instead;
    } cases[] = {
        {FRONT_LOG_MEL, INPUT_S16LE, "not s16le values", "numpy's tofile; edgeseq run, in Python, takes WAV"},
        {FRONT_LOG_MEL, INPUT_F32LE, "not float32 values", "as .npy; edgeseq run, in Python, takes WAV"},
        {FRONT_STANDARDISE, INPUT_F32LE, "not float32 values", "as .npy; edgeseq run, in Python, takes CSV"},
        {FRONT_NONE, INPUT_FEATURES, "not float32 values", "as .npy; edgeseq run, in Python, takes CSV"},
        {FRONT_TOKENS, INPUT_FEATURES, "not int32 values", "as .npy; edgeseq run, in Python, takes text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sheet sheet = sheet_of(cases[i].kind);
        struct failure failure;
        CHECK(!input_check_plain(&sheet, cases[i].input, (const unsigned char *)TEXT, sizeof TEXT - 1, "x",
                                 &failure));
        CHECK_FAILURE(failure, BAD_DATA, cases[i].said);
        CHECK_FAILURE(failure, BAD_DATA, cases[i].instead);
    }
}

static void full_scale_is_32768(void) {
    const unsigned char bytes[] = {0, 0x80, 0xff, 0x7f, 0, 0, 0xff, 0xff};
    float samples[4];
    input_from_s16le(bytes, 4, samples);
    CHECK(samples[0] == -1 && samples[1] == 32767 / 32768.0f && samples[2] == 0 &&
          samples[3] == -1 / 32768.0f);
}

static void the_first_value_that_is_not_finite_is_found(void) {
    const float values[] = {1, -INFINITY, NAN};
    CHECK_LONG(finite_count(values, 3), 1);
    CHECK_LONG(finite_count(values, 1), 1);
    CHECK_LONG(finite_count(values + 2, 1), 0);
    CHECK_LONG(finite_count(values, 0), 0);
}

int main(void) {
    a_stream_is_by_itself_what_its_model_hears();
    a_kind_that_the_model_does_not_take_is_refused();
    another_rate_is_refused_with_what_to_do();
    a_file_with_a_header_is_no_plain_input();
    text_is_no_plain_input();
    values_that_look_like_text_are_values();
    what_to_do_with_text_is_by_what_the_model_hears();
    full_scale_is_32768();
    the_first_value_that_is_not_finite_is_found();
    return CHECKED;
}
