#include <math.h>
#include <stdlib.h>

#include "answer/forecast.h"
#include "check.h"

static char *labels[] = {"oil", "load, high", "a \"b\""};
static float mean[] = {1, -2, 0.5F}, scale[] = {0.5F, 3, 10};

static const struct sheet SHEET = {
    .task = FORECAST,
    .labels_count = 3,
    .labels = labels,
    .features_count = 3,
    .context = 2,
    .horizon = 2,
    .outputs_count = 6,
    .front_end = {.kind = FRONT_STANDARDISE, .count = 3, .mean = mean, .scale = scale},
};

static void the_last_moments_count(void) {
    float values[9] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    const float *at = values;
    size_t count = 9;
    struct failure failure;
    CHECK(forecast_last(&SHEET, &at, &count, &failure));
    CHECK(at == values + 3 && count == 6);
    count = 3;
    CHECK(!forecast_last(&SHEET, &at, &count, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "it holds 1 moments, the model needs the last 2; give 1 more");
}

static void numbers_come_back_in_the_units_of_the_data(void) {
    float numbers[6] = {2, 1, 0, -2, 0, 0.25F};
    struct failure failure;
    CHECK(forecast_finish(&SHEET, numbers, &failure));
    CHECK(numbers[0] == 2 && numbers[1] == 1 && numbers[2] == 0.5F);
    CHECK(numbers[3] == 0 && numbers[4] == -2 && numbers[5] == 3);
    struct sheet bare = SHEET;
    bare.front_end.mean = bare.front_end.scale = NULL;
    CHECK(forecast_finish(&bare, numbers, &failure) && numbers[0] == 2);
    numbers[4] = NAN;
    CHECK(!forecast_finish(&SHEET, numbers, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "NaN or infinity");
}

static void written(bool as_json, const char *expected) {
    static const float NUMBERS[6] = {0.1F, 2, 3, 4, -5e-9F, 6};
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL)
        abort();
    struct json json = json_to(file, false);
    if (as_json) {
        json_open(&json, '{');
        forecast_write_json(&SHEET, NUMBERS, &json);
        json_close(&json, '}');
    } else {
        forecast_write_csv(&SHEET, NUMBERS, file);
    }
    fclose(file);
    CHECK_TEXT(text, expected);
    free(text);
}

int main(void) {
    the_last_moments_count();
    numbers_come_back_in_the_units_of_the_data();
    written(false, "oil,\"load, high\",\"a \"\"b\"\"\"\n0.100000001,2,3\n4,-4.99999997e-09,6\n");
    written(true, "{\"channels\": [\"oil\", \"load, high\", \"a \\\"b\\\"\"], "
                  "\"forecast\": [[0.100000001, 2, 3], [4, -4.99999997e-09, 6]]}");
    return CHECKED;
}
