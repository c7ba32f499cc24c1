#include "answer/forecast.h"

#include <string.h>

#include "base/finite.h"

bool forecast_last(const struct sheet *sheet, const float **values, size_t *count, struct failure *failure) {
    size_t columns = (size_t)sheet->features_count, moments = *count / columns;
    size_t context = (size_t)sheet->context;
    if (moments < context)
        return fail(failure, BAD_DATA,
                    "it holds %zu moments, the model needs the last %zu; give %zu more before them", moments,
                    context, context - moments);
    *values += (moments - context) * columns;
    *count = context * columns;
    return true;
}

bool forecast_finish(const struct sheet *sheet, float *numbers, struct failure *failure) {
    size_t count = (size_t)sheet->outputs_count, channels = (size_t)sheet->labels_count;
    const struct front_end *front_end = &sheet->front_end;
    for (size_t i = 0; front_end->mean != NULL && i < count; i++) {
        float deviation = numbers[i] * front_end->scale[i % channels]; /* rounded: no fused multiply-add */
        numbers[i] = deviation + front_end->mean[i % channels];
    }
    return finite_count(numbers, count) == count ||
           fail(failure, BAD_DATA,
                "the forecast holds NaN or infinity; are the readings those of its channels?");
}

/* As RFC 4180 has it. */
static void write_cell(const char *text, FILE *file) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, file);
        return;
    }
    putc('"', file);
    for (; *text != '\0'; text++)
        fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, file);
    putc('"', file);
}

void forecast_write_csv(const struct sheet *sheet, const float *numbers, FILE *file) {
    for (int i = 0; i < sheet->labels_count; i++) {
        fputs(i == 0 ? "" : ",", file);
        write_cell(sheet->labels[i], file);
    }
    for (int i = 0; i < sheet->outputs_count; i++)
        fprintf(file, "%c%.9g", i % sheet->labels_count == 0 ? '\n' : ',', (double)numbers[i]);
    putc('\n', file);
}

void forecast_write_json(const struct sheet *sheet, const float *numbers, struct json *json) {
    json_key(json, "channels");
    json_open(json, '[');
    for (int i = 0; i < sheet->labels_count; i++)
        json_text(json, sheet->labels[i]);
    json_close(json, ']');
    json_key(json, "forecast");
    json_open(json, '[');
    for (int moment = 0; moment < sheet->horizon; moment++) {
        json_open(json, '[');
        for (int i = 0; i < sheet->labels_count; i++)
            json_float(json, *numbers++);
        json_close(json, ']');
    }
    json_close(json, ']');
}
