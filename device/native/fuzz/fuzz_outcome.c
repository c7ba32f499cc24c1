/* Any bytes as a worker's outcome: refused, or figures that can be put into a result. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench/outcome_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_sound(const struct outcome *outcome) {
    for (size_t i = 0; i < outcome->lines_count; i++) {
        const struct outcome_line *line = &outcome->lines[i];
        if (*line->name == '\0' || *line->text == '\0')
            return false;
        if (strcmp(line->item, "missing") != 0 && !outcome_is_json(line->text))
            return false;
    }
    for (size_t i = 0; i < outcome->samples_count; i++)
        if (!(outcome->samples_ms[i] >= 0) || isinf(outcome->samples_ms[i]))
            return false;
    return outcome->frames >= 0 && outcome->warmup_runs >= 0 && isfinite(outcome->warmup_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *content = malloc(size + 1);
    if (content == NULL)
        return 0;
    if (size > 0)
        memcpy(content, data, size);
    content[size] = '\0';
    struct outcome outcome;
    struct failure failure = {0};
    if (!outcome_read(content, &outcome, &failure)) {
        if (failure.exit_code < 1 || failure.message[0] == '\0' || outcome.content != NULL)
            abort();
        return 0;
    }
    if (!is_sound(&outcome))
        abort();
    outcome_free(&outcome);
    return 0;
}
