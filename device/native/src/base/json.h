/* Writing JSON, indented by one blank a level as Python's json.dumps(indent=1) or on one line. The caller
 * keeps to the grammar: within an object each value follows a json_key, within a list none does. */
#ifndef EDGESEQ_JSON_H
#define EDGESEQ_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/texts.h"

enum { JSON_NUMBER_MAX = 32 };

struct json {
    FILE *file;
    bool indented;
    int depth;
    bool empty;   /* the list or object that is open has nothing in it yet */
    bool has_key; /* the next value stands behind a key */
};

/* A writer to `file`, which stays the caller's; its errors are seen by ferror. */
struct json json_to(FILE *file, bool indented);

void json_open(struct json *json, char bracket);  /* '{' or '[' */
void json_close(struct json *json, char bracket); /* '}' or ']' */
void json_key(struct json *json, const char *key);

void json_text(struct json *json, const char *text); /* UTF-8, escaped; NULL: null */
void json_long(struct json *json, long value);
void json_double(struct json *json, double value); /* not finite: null */
void json_float(struct json *json, double value);  /* finite, in nine digits: they tell every float32 */
void json_bool(struct json *json, bool value);
void json_null(struct json *json);
void json_raw(struct json *json, const char *text); /* JSON already */

/* Members of an object: the key and the value. */
void json_text_of(struct json *json, const char *key, const char *text);
void json_long_of(struct json *json, const char *key, long value);
void json_count_of(struct json *json, const char *key, long value); /* below 0: null */
void json_double_of(struct json *json, const char *key, double value);
void json_bool_of(struct json *json, const char *key, bool value);
void json_texts_of(struct json *json, const char *key, const struct texts *texts);

/* The shortest decimal of `value` that reads back as the same double, with a point or an exponent as Python's
 * repr has it; "null" if it is not finite. Returns `text`. */
const char *json_number(double value, char text[JSON_NUMBER_MAX]);

#endif
