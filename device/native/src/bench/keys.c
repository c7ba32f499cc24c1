#include "bench/keys.h"

#include <string.h>

/* In the order of a result, names in the order of the kinds. */
static const char KIND_NAMES[KINDS_COUNT][18] = {
    "ram",   "parity", "step_parity", "instructions", "step_instructions", "latency", "step_latency",
    "power", "fits",   "accuracy",    "realtime",     "sustained",         "profile",
};

/* The figures in the order of a result: name, label, kind, type, unit, tasks. */
#define FIGURES(F) \
    F("ram_start_bytes", "RAM, start", KIND_RAM, WHOLE, BYTES, EACH) \
    F("ram_numpy_bytes", "-", KIND_RAM, WHOLE, BYTES, EACH) \
    F("ram_runtime_bytes", "RAM, + runtime", KIND_RAM, WHOLE, BYTES, EACH) \
    F("ram_loaded_bytes", "RAM, + model", KIND_RAM, WHOLE, BYTES, EACH) \
    F("ram_first_bytes", "RAM, 1st inference", KIND_RAM, WHOLE, BYTES, EACH) \
    F("ram_steady_bytes", "RAM, steady", KIND_RAM, WHOLE, BYTES, EACH) \
    F("ram_peak_bytes", "RAM, peak", KIND_RAM, WHOLE, BYTES, EACH) \
    F("ram_pss_bytes", "RAM, proportional", KIND_RAM, WHOLE, BYTES, EACH) \
    F("parity_error", "", KIND_PARITY, NUMBER, ANOTHER, EACH) \
    F("parity_tolerance", "", KIND_PARITY, NUMBER, ANOTHER, EACH) \
    F("parity_n", "", KIND_PARITY, WHOLE, ANOTHER, EACH) \
    F("parity_decisions_changed", "", KIND_PARITY, WHOLE, ANOTHER, DECIDES) \
    F("parity_ok", "", KIND_PARITY, FLAG, ANOTHER, EACH) \
    F("step_parity_error", "", KIND_STEP_PARITY, NUMBER, ANOTHER, EACH) \
    F("step_parity_tolerance", "", KIND_STEP_PARITY, NUMBER, ANOTHER, EACH) \
    F("step_parity_n", "", KIND_STEP_PARITY, WHOLE, ANOTHER, EACH) \
    F("step_parity_decisions_changed", "", KIND_STEP_PARITY, WHOLE, ANOTHER, DECIDES) \
    F("step_parity_ok", "", KIND_STEP_PARITY, FLAG, ANOTHER, EACH) \
    F("logits", "", KIND_PARITY, LIST, ANOTHER, EACH) \
    F("instructions", "", KIND_INSTRUCTIONS, WHOLE, ANOTHER, EACH) \
    F("instructions_n", "", KIND_INSTRUCTIONS, WHOLE, ANOTHER, EACH) \
    F("instructions_spread_percent", "", KIND_INSTRUCTIONS, NUMBER, PERCENT, EACH) \
    F("step_instructions", "", KIND_STEP_INSTRUCTIONS, WHOLE, ANOTHER, EACH) \
    F("step_instructions_n", "", KIND_STEP_INSTRUCTIONS, WHOLE, ANOTHER, EACH) \
    F("step_instructions_spread_percent", "", KIND_STEP_INSTRUCTIONS, NUMBER, PERCENT, EACH) \
    F("start_ms", "process start", KIND_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("numpy_ms", "-", KIND_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("import_ms", "", KIND_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("load_ms", "", KIND_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("first_inference_ms", "", KIND_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("first_answer_ms", "all to first answer", KIND_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("warmup_n", "", KIND_LATENCY, WHOLE, ANOTHER, EACH) \
    F("warmup_s", "", KIND_LATENCY, NUMBER, SECONDS, EACH) \
    F("latency_n", "latency samples", KIND_LATENCY, WHOLE, ANOTHER, EACH) \
    F("latency_launches", "", KIND_LATENCY, WHOLE, ANOTHER, EACH) \
    F("latency_p50_ms", "", KIND_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("latency_p50_low_ms", "", KIND_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("latency_p50_high_ms", "", KIND_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("latency_p90_ms", "", KIND_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("latency_p99_ms", "", KIND_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("latency_spread_percent", "spread of launches", KIND_LATENCY, NUMBER, PERCENT, EACH) \
    F("prefill_tokens_per_second", "", KIND_LATENCY, NUMBER, ANOTHER, OF_LM) \
    F("forecasts_per_second", "", KIND_LATENCY, NUMBER, ANOTHER, OF_FORECAST) \
    F("step_load_ms", "load, step form", KIND_STEP_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("step_warmup_n", "", KIND_STEP_LATENCY, WHOLE, ANOTHER, EACH) \
    F("step_warmup_s", "", KIND_STEP_LATENCY, NUMBER, SECONDS, EACH) \
    F("step_latency_n", "", KIND_STEP_LATENCY, WHOLE, ANOTHER, EACH) \
    F("step_latency_launches", "", KIND_STEP_LATENCY, WHOLE, ANOTHER, EACH) \
    F("step_latency_p50_ms", "step p50", KIND_STEP_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("step_latency_p50_low_ms", "", KIND_STEP_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("step_latency_p50_high_ms", "", KIND_STEP_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("step_latency_p90_ms", "", KIND_STEP_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("step_latency_p99_ms", "step p99", KIND_STEP_LATENCY, NUMBER, MILLISECONDS, EACH) \
    F("step_latency_spread_percent", "", KIND_STEP_LATENCY, NUMBER, PERCENT, EACH) \
    F("tokens_per_second", "", KIND_STEP_LATENCY, NUMBER, ANOTHER, OF_LM) \
    F("power_idle_w", "", KIND_POWER, NUMBER, WATTS, EACH) \
    F("power_w", "", KIND_POWER, NUMBER, WATTS, EACH) \
    F("energy_mj", "energy per inference", KIND_POWER, NUMBER, MILLIJOULES, EACH) \
    F("ram_limit_bytes", "", KIND_FITS, WHOLE, BYTES, EACH) \
    F("fits_ram", "", KIND_FITS, FLAG, ANOTHER, EACH) \
    F("ram_limit_peak_bytes", "", KIND_FITS, WHOLE, BYTES, EACH) \
    F("device_accuracy", "", KIND_ACCURACY, NUMBER, ANOTHER, EACH) \
    F("device_accuracy_n", "", KIND_ACCURACY, WHOLE, ANOTHER, EACH) \
    F("device_accuracy_split", "", KIND_ACCURACY, TEXT, ANOTHER, EACH) \
    F("realtime_period_ms", "", KIND_REALTIME, NUMBER, MILLISECONDS, EACH) \
    F("realtime_s", "", KIND_REALTIME, NUMBER, SECONDS, EACH) \
    F("realtime_n", "", KIND_REALTIME, WHOLE, ANOTHER, EACH) \
    F("realtime_misses", "", KIND_REALTIME, WHOLE, ANOTHER, EACH) \
    F("realtime_factor", "", KIND_REALTIME, NUMBER, ANOTHER, EACH) \
    F("realtime_cpu_percent", "", KIND_REALTIME, NUMBER, PERCENT, EACH) \
    F("realtime_p50_ms", "", KIND_REALTIME, NUMBER, MILLISECONDS, EACH) \
    F("realtime_p99_ms", "", KIND_REALTIME, NUMBER, MILLISECONDS, EACH) \
    F("sustained_s", "", KIND_SUSTAINED, NUMBER, SECONDS, EACH) \
    F("sustained_n", "", KIND_SUSTAINED, WHOLE, ANOTHER, EACH) \
    F("sustained_first_p50_ms", "", KIND_SUSTAINED, NUMBER, MILLISECONDS, EACH) \
    F("sustained_last_p50_ms", "", KIND_SUSTAINED, NUMBER, MILLISECONDS, EACH) \
    F("sustained_slowdown_percent", "", KIND_SUSTAINED, NUMBER, PERCENT, EACH) \
    F("sustained_windows", "", KIND_SUSTAINED, LIST, ANOTHER, EACH) \
    F("profile_n", "", KIND_PROFILE, WHOLE, ANOTHER, EACH) \
    F("profile", "", KIND_PROFILE, LIST, ANOTHER, EACH)
#define NAMED(name, label, ...) name "\0" label "\0"
#define DESCRIBED(name, label, ...) {__VA_ARGS__},

static const char NAMES[] = FIGURES(NAMED);
const struct key KEYS[KEYS_COUNT] = {FIGURES(DESCRIBED)};

const char *keys_kind_name(enum kind kind) {
    return KIND_NAMES[kind];
}

bool keys_kind_of(const char *name, enum kind *kind) {
    for (size_t i = 0; i < KINDS_COUNT; i++) {
        if (strcmp(KIND_NAMES[i], name) != 0)
            continue;
        *kind = (enum kind)i;
        return true;
    }
    return false;
}

bool keys_is_of(const struct key *key, enum model_task task) {
    return key->tasks == EACH || (key->tasks & 1 << task) != 0;
}

static bool is_of_step(const char *name) {
    return strncmp(name, "step_", strlen("step_")) == 0;
}

bool keys_is_of_step(enum kind kind) {
    return is_of_step(KIND_NAMES[kind]);
}

bool keys_needs_step(enum kind kind) {
    return keys_is_of_step(kind) || kind == KIND_REALTIME;
}

bool keys_is_latency(enum kind kind) {
    return kind == KIND_LATENCY || kind == KIND_STEP_LATENCY;
}

bool keys_is_timed(enum kind kind) {
    return keys_is_latency(kind) || kind == KIND_REALTIME || kind == KIND_SUSTAINED || kind == KIND_PROFILE ||
           kind == KIND_POWER;
}

static const char *behind(const char *text) {
    return text + strlen(text) + 1;
}

const char *keys_name(const struct key *key) {
    const char *name = NAMES;
    for (const struct key *before = KEYS; before < key; before++)
        name = behind(behind(name));
    return name;
}

const char *keys_label(const struct key *key) {
    return behind(keys_name(key));
}

const char *keys_worker_name(const struct key *key) {
    const char *name = keys_name(key);
    return is_of_step(name) ? name + strlen("step_") : name;
}

size_t keys_find(enum kind kind, const char *name) {
    for (size_t i = 0; i < KEYS_COUNT; i++)
        if (KEYS[i].kind == kind && strcmp(keys_worker_name(&KEYS[i]), name) == 0)
            return i;
    return KEYS_COUNT;
}
