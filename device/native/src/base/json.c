#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct json json_to(FILE *file, bool indented) {
    return (struct json){.file = file, .indented = indented, .empty = true};
}

static void new_line(const struct json *json) {
    if (!json->indented)
        return;
    fputc('\n', json->file);
    for (int i = 0; i < json->depth; i++)
        fputc(' ', json->file);
}

/* Ahead of a key, or of a value that has none: the comma and the place. */
static void begin(struct json *json) {
    if (json->has_key) {
        json->has_key = false;
        return;
    }
    if (!json->empty)
        fputs(json->indented ? "," : ", ", json->file);
    if (json->depth > 0)
        new_line(json);
    json->empty = false;
}

void json_open(struct json *json, char bracket) {
    begin(json);
    fputc(bracket, json->file);
    json->depth++;
    json->empty = true;
}

void json_close(struct json *json, char bracket) {
    json->depth--;
    if (!json->empty)
        new_line(json);
    fputc(bracket, json->file);
    json->empty = false;
}

static void write_text(FILE *file, const char *text) {
    fputc('"', file);
    while (*text != '\0') {
        size_t size = text_character(text);
        if (size == 0)
            fputs("\\ufffd", file);
        else if ((unsigned char)*text < ' ')
            fprintf(file, "\\u%04x", (unsigned char)*text);
        else if (*text == '"' || *text == '\\')
            fprintf(file, "\\%c", *text);
        else
            fwrite(text, 1, size, file);
        text += size == 0 ? 1 : size;
    }
    fputc('"', file);
}

void json_key(struct json *json, const char *key) {
    begin(json);
    write_text(json->file, key);
    fputs(": ", json->file);
    json->has_key = true;
}

void json_raw(struct json *json, const char *text) {
    begin(json);
    fputs(text, json->file);
}

void json_text(struct json *json, const char *text) {
    if (text == NULL) {
        json_null(json);
        return;
    }
    begin(json);
    write_text(json->file, text);
}

void json_long(struct json *json, long value) {
    begin(json);
    fprintf(json->file, "%ld", value);
}

const char *json_number(double value, char text[JSON_NUMBER_MAX]) {
    if (!isfinite(value)) {
        strcpy(text, "null");
        return text;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, JSON_NUMBER_MAX, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    if (strpbrk(text, ".e") == NULL)
        strcat(text, ".0");
    return text;
}

void json_double(struct json *json, double value) {
    char text[JSON_NUMBER_MAX];
    json_raw(json, json_number(value, text));
}

void json_float(struct json *json, double value) {
    begin(json);
    fprintf(json->file, "%.9g", value);
}

void json_bool(struct json *json, bool value) {
    json_raw(json, value ? "true" : "false");
}

void json_null(struct json *json) {
    json_raw(json, "null");
}

void json_text_of(struct json *json, const char *key, const char *text) {
    json_key(json, key);
    json_text(json, text);
}

void json_long_of(struct json *json, const char *key, long value) {
    json_key(json, key);
    json_long(json, value);
}

void json_count_of(struct json *json, const char *key, long value) {
    json_key(json, key);
    if (value < 0)
        json_null(json);
    else
        json_long(json, value);
}

void json_double_of(struct json *json, const char *key, double value) {
    json_key(json, key);
    json_double(json, value);
}

void json_bool_of(struct json *json, const char *key, bool value) {
    json_key(json, key);
    json_bool(json, value);
}

void json_texts_of(struct json *json, const char *key, const struct texts *texts) {
    json_key(json, key);
    json_open(json, '[');
    for (size_t i = 0; i < texts->count; i++)
        json_text(json, texts->items[i]);
    json_close(json, ']');
}
