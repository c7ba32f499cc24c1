#include "bench/plain_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/states.h"

static const char NOT_MEASURED[] = "not measured";

/* How the name of a key with that unit ends, and how the unit is written; none of ANOTHER. */
static const struct {
    char suffix[9], shown[3];
} UNITS[] = {
    [ANOTHER] = {"", ""},          [BYTES] = {"_bytes", ""}, [MILLISECONDS] = {"_ms", "ms"},
    [SECONDS] = {"_s", "s"},       [WATTS] = {"_w", "W"},    [MILLIJOULES] = {"_mj", "mJ"},
    [PERCENT] = {"_percent", "%"},
};

enum { CELL_MAX = 64 };

void plain_table_shown(const char *json, const struct key *key, char shown[CELL_MAX]) {
    double value = json == NULL ? 0 : strtod(json, NULL);
    if (json == NULL)
        strcpy(shown, NOT_MEASURED);
    else if (key->type == FLAG)
        strcpy(shown, strcmp(json, "true") == 0 ? "yes" : "NO");
    else if (key->type == TEXT)
        snprintf(shown, CELL_MAX, "%.*s", (int)strcspn(json + 1, "\""), json + 1);
    else if (key->unit == BYTES)
        snprintf(shown, CELL_MAX, value >= 1e6 ? "%.2f MB" : "%.1f KB",
                 value >= 1e6 ? value / 1e6 : value / 1e3);
    else if (key->unit != ANOTHER)
        snprintf(shown, CELL_MAX, fabs(value) >= 100 ? "%.0f %s" : "%.3g %s", value, UNITS[key->unit].shown);
    else if (key->type == WHOLE)
        snprintf(shown, CELL_MAX, "%s", json);
    else
        snprintf(shown, CELL_MAX, value >= 100 ? "%.0f" : "%.2g", value);
}

/* A name with blanks in it. */
static void spell(const char *name, size_t size, char spelt[CELL_MAX]) {
    snprintf(spelt, CELL_MAX, "%.*s", (int)size, name);
    for (char *at = spelt; *at != '\0'; at++)
        *at = *at == '_' ? ' ' : *at;
}

/* What a classifier's figure is called of models of another task, as edgeseq_device.measuring.words has it.
 */
static void word(enum model_task task, char label[CELL_MAX]) {
    static const struct {
        char begin[18], other[21];
        unsigned char task;
    } WORDS[] = {
        {"step latency", "token", LANGUAGE_MODEL},
        {"step p", "token p", LANGUAGE_MODEL},
        {"step instructions", "token instructions", LANGUAGE_MODEL},
        {"latency", "prefill", LANGUAGE_MODEL},
        {"instructions", "prefill instructions", LANGUAGE_MODEL},
        {"latency", "forecast", FORECAST},
    };
    char whole[CELL_MAX], *inference = strstr(label, "inference"); /* the last word, where it is there */
    strcpy(whole, label);
    if (inference != NULL && task != CLASSIFY)
        strcpy(inference, task == FORECAST ? "forecast" : "prefill");
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS && strncmp(label, "step parity", 11) != 0; i++) {
        size_t length = strlen(WORDS[i].begin);
        if (WORDS[i].task != task || strncmp(whole, WORDS[i].begin, length) != 0)
            continue;
        snprintf(label, CELL_MAX, "%s%.40s", WORDS[i].other, whole + length);
        return;
    }
}

/* Such as "latency p50" for latency_p50_ms: the unit stands behind the figure. */
static void label_of(const struct key *key, char label[CELL_MAX]) {
    const char *suffix = UNITS[key->unit].suffix;
    const char *name = keys_name(key);
    size_t size = strlen(name), taken = strlen(suffix);
    if (*keys_label(key) != '\0')
        snprintf(label, CELL_MAX, "%s", keys_label(key));
    else if (size > taken && strcmp(name + size - taken, suffix) == 0)
        spell(name, size - taken, label);
    else
        spell(name, size, label);
}

/* Whether a key is a figure of the table: asked for, of a form that the model has, no list, and one that this
 * runner can have. */
static bool is_shown(const struct result *result, size_t at) {
    const struct key *key = &KEYS[at];
    return key->type != LIST && *keys_label(key) != '-' && key->kind != KIND_FITS && /* not asked for */
           keys_is_of(key, result->artifact->sheet.task) &&
           (!keys_is_of_step(key->kind) || result->artifact->sheet.step.there);
}

/* Whether no figure of a kind was taken. */
static bool is_empty(const struct result *result, enum kind kind) {
    for (size_t i = 0; i < KEYS_COUNT; i++)
        for (int j = 0; KEYS[i].kind == kind && is_shown(result, i) && j < result->request->threads_count;
             j++)
            if (result->entries[j].figures[i].json != NULL)
                return false;
    return true;
}

/* The cells of a table, row by row; `columns` a row. */
struct table {
    struct texts cells;
    size_t columns;
};

static void add_figures(const struct result *result, size_t key_at, const char *label, struct table *table) {
    texts_add(&table->cells, "%s", label);
    for (int i = 0; i < result->request->threads_count; i++) {
        char shown[CELL_MAX];
        plain_table_shown(result->entries[i].figures[key_at].json, &KEYS[key_at], shown);
        texts_add(&table->cells, "%s", shown);
    }
}

/* A row that is the same of every entry. */
static void add_same(const struct result *result, const char *label, const char *shown, struct table *table) {
    texts_add(&table->cells, "%s", label);
    for (int i = 0; i < result->request->threads_count; i++)
        texts_add(&table->cells, "%s", shown);
}

static void add_heads(const struct result *result, struct table *table) {
    static const struct key MODEL_BYTES = {.type = WHOLE, .unit = BYTES};
    char number[32], size[CELL_MAX], name[40];
    snprintf(number, sizeof number, "%zu", result->artifact->model.size);
    plain_table_shown(number, &MODEL_BYTES, size);
    texts_add(&table->cells, "%s", "");
    for (int i = 0; i < result->request->threads_count; i++) {
        result_name(&result->entries[i], name);
        texts_add(&table->cells, "%s", name);
    }
    texts_add(&table->cells, "runtime");
    for (int i = 0; i < result->request->threads_count; i++) {
        const char *runtime = result->entries[i].runtime;
        texts_add(&table->cells, "%s", runtime == NULL ? NOT_MEASURED : runtime);
    }
    add_same(result, "model", size, table);
}

/* What is told of a model that does not classify. */
static void add_described(const struct result *result, struct table *table) {
    const struct sheet *sheet = &result->artifact->sheet;
    const struct {
        char name[8];
        long value;
    } ROWS[] = {{"states", states_bytes(&sheet->step)},
                {"window", states_window(&sheet->step)},
                {"context", sheet->context},
                {"horizon", sheet->horizon}};
    size_t begin = sheet->task == FORECAST ? 2 : 0, end = sheet->task == CLASSIFY ? 0 : begin + 2;
    for (size_t i = begin; i < end; i++) {
        char number[32], shown[CELL_MAX];
        snprintf(number, sizeof number, "%ld", ROWS[i].value);
        plain_table_shown(number, &(struct key){.type = WHOLE, .unit = i == 0 ? BYTES : ANOTHER}, shown);
        if (ROWS[i].value > 0)
            add_same(result, ROWS[i].name, shown, table);
    }
}

bool plain_table_label(const struct result *result, size_t key_at, char label[CELL_MAX]) {
    const struct key *key = &KEYS[key_at];
    if (!is_shown(result, key_at))
        return false;
    const char *kind = keys_kind_name(key->kind);
    if (is_empty(result, key->kind))
        spell(kind, strlen(kind), label);
    else
        label_of(key, label);
    word(result->artifact->sheet.task, label);
    return true;
}

/* A row for each figure, one for a kind of which none was taken. */
static void add_rows(const struct result *result, struct table *table) {
    char label[CELL_MAX], before[CELL_MAX] = "";
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        if (!plain_table_label(result, i, label) || strcmp(label, before) == 0)
            continue;
        add_figures(result, i, label, table);
        strcpy(before, label);
    }
}

void plain_table_write(const struct result *result, FILE *file) {
    struct table table = {.columns = 1 + (size_t)result->request->threads_count};
    size_t widths[1 + THREADS_COUNTS_MAX] = {0};
    add_heads(result, &table);
    add_described(result, &table);
    add_rows(result, &table);
    for (size_t i = 0; i < table.cells.count; i++) {
        size_t width = strlen(table.cells.items[i]);
        widths[i % table.columns] = width > widths[i % table.columns] ? width : widths[i % table.columns];
    }
    for (size_t i = 0; i < table.cells.count; i++) {
        size_t column = i % table.columns;
        int width = (int)widths[column];
        fprintf(file, "%s%*s", column == 0 ? "" : "  ", column == 0 ? -width : width, table.cells.items[i]);
        if (column + 1 == table.columns)
            fputs(result->system->emulation.emulated ? "  emulated\n" : "\n", file);
    }
    texts_free(&table.cells);
}
