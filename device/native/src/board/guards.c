#include "board/guards.h"

#include <ctype.h>
#include <glob.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "board/root_file.h"
#include "process/processes.h"

static const double VCGENCMD_S = 5;

/* What the Pi's firmware answers behind the last "="; NULL without its program, or when it may not be asked.
 * For the caller to free. */
static char *vcgencmd(const char *what, const char *of, struct watch *watch) {
    char *argv[] = {(char[]){"vcgencmd"}, strdup(what), of == NULL ? NULL : strdup(of), NULL};
    struct task task = {.program = argv[0], .argv = argv, .timeout_s = VCGENCMD_S, .output_max = 4096};
    struct ended ended;
    processes_run(&task, watch, &ended);
    char *answer = NULL;
    if (ended.how == ENDED_EXIT && ended.code == 0 && ended.output != NULL) {
        const char *equals = strrchr(ended.output, '=');
        answer = strdup(equals == NULL ? ended.output : equals + 1);
    }
    for (size_t i = answer == NULL ? 0 : strlen(answer); i > 0 && isspace((unsigned char)answer[i - 1]); i--)
        answer[i - 1] = '\0';
    processes_free(&ended);
    free(argv[1]);
    free(argv[2]);
    return answer;
}

/* The number of a text of digits times `factor`; -1 of another, or of none. Frees the text. */
static long number_in(char *text, long factor) {
    long number = -1;
    if (text == NULL || !root_file_is_digits(text) || !text_is_long(text, &number) ||
        number > LONG_MAX / factor)
        number = -1;
    free(text);
    return number < 0 ? -1 : number * factor;
}

/* On a Pi Linux tells what clock it asked for, also while the firmware throttles: that one's figure comes
 * first. */
long guards_frequency_hz(const char *root, struct watch *watch) {
    long measured = strcmp(root, "/") == 0 ? number_in(vcgencmd("measure_clock", "arm", watch), 1) : -1;
    if (measured > 0)
        return measured;
    return number_in(root_file_text(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"), 1000);
}

/* The number of hexadecimal digits; -1 of another text, or of none. Frees the text. */
static long bits_in(char *text) {
    char *end = text;
    long bits = text == NULL ? -1 : strtol(text, &end, 16);
    bool whole = text != NULL && end != text && *end == '\0';
    free(text);
    return whole ? bits : -1;
}

/* vcgencmd comes first: Linux's own file holds what a driver read up to two seconds ago, and that driver has
 * the flags since boot cleared at each reading. */
static long throttled_bits(const char *root, struct watch *watch) {
    long told = strcmp(root, "/") == 0 ? bits_in(vcgencmd("get_throttled", NULL, watch)) : -1;
    if (told >= 0)
        return told;
    return bits_in(root_file_text(root, "/sys/devices/platform/soc/soc:firmware/get_throttled"));
}

static bool is_of_processor(const char *root, const char *zone) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/type", zone);
    char *type = root_file_text(root, path);
    bool is = type != NULL &&
              (strstr(type, "cpu") != NULL || strstr(type, "soc") != NULL || strstr(type, "pkg") != NULL);
    free(type);
    return is;
}

/* Degrees of a zone; NaN where it does not tell. */
static double zone_c(const char *root, const char *zone) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/temp", zone);
    char *text = root_file_text(root, path);
    double milli = NAN;
    if (text != NULL && root_file_is_digits(text + strspn(text, "-")))
        milli = strtod(text, NULL);
    free(text);
    return milli / 1000;
}

double guards_temperature_c(const char *root) {
    char pattern[PATH_MAX];
    size_t skipped = strcmp(root, "/") == 0 ? 0 : strlen(root);
    snprintf(pattern, sizeof pattern, "%s/sys/class/thermal/thermal_zone*", skipped == 0 ? "" : root);
    glob_t zones = {0};
    double found = NAN;
    if (glob(pattern, 0, NULL, &zones) != 0)
        return found;
    for (int others = 0; others < 2 && isnan(found); others++)
        for (size_t i = 0; i < zones.gl_pathc && isnan(found); i++) {
            const char *zone = zones.gl_pathv[i] + skipped;
            if (is_of_processor(root, zone) == (others == 0))
                found = zone_c(root, zone);
        }
    globfree(&zones);
    return found;
}

static double load_1min(const char *root) {
    char *text = root_file_text(root, "/proc/loadavg");
    double load = text == NULL || *text == '\0' ? NAN : strtod(text, NULL);
    free(text);
    return load;
}

/* The number behind a name in lines of both; -1 where there is none. */
static long count_of(const char *table, const char *name) {
    size_t size = strlen(name);
    for (const char *line = table; line != NULL && *line != '\0';) {
        if (strncmp(line, name, size) == 0 && line[size] == ' ')
            return strtol(line + size, NULL, 10);
        line = strchr(line, '\n');
        line += line != NULL;
    }
    return -1;
}

/* Pages moved to or from swap since boot. */
static long swapped_pages(const char *root) {
    char *vmstat = root_file_text(root, "/proc/vmstat");
    long in = count_of(vmstat, "pswpin"), out = count_of(vmstat, "pswpout");
    free(vmstat);
    return in < 0 || out < 0 ? -1 : in + out;
}

static long bytes_of(const char *meminfo, const char *name) {
    long kilobytes = count_of(meminfo, name);
    return kilobytes < 0 ? -1 : 1024 * kilobytes;
}

void guards_read(const char *root, bool emulated, struct watch *watch, struct guards *guards) {
    *guards = (struct guards){
        NULL, -1, -1, NAN, -1, NAN, -1, -1, -1, -1,
    };
    if (emulated)
        return;
    guards->governor = root_file_text(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    guards->frequency_hz = guards_frequency_hz(root, watch);
    guards->frequency_max_hz =
        number_in(root_file_text(root, "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"), 1000);
    guards->temperature_c = guards_temperature_c(root);
    guards->throttled_bits = throttled_bits(root, watch);
    guards->load_1min = load_1min(root);
    guards->cores = sysconf(_SC_NPROCESSORS_ONLN);
    guards->swapped_pages = swapped_pages(root);
    char *meminfo = root_file_text(root, "/proc/meminfo");
    long swap = bytes_of(meminfo, "SwapTotal:"), unused = bytes_of(meminfo, "SwapFree:");
    guards->swap_used_bytes = swap < 0 || unused < 0 ? -1 : swap - unused;
    guards->ram_available_bytes = bytes_of(meminfo, "MemAvailable:");
    free(meminfo);
}

void guards_worst_of(struct guards *guards, struct guards *later) {
    double hottest = fmax(guards->temperature_c, later->temperature_c); /* NaN only where both are */
    long earlier_bits = guards->throttled_bits;
    guards_free(guards);
    *guards = *later;
    later->governor = NULL;
    guards->temperature_c = hottest;
    if (earlier_bits >= 0)
        guards->throttled_bits =
            guards->throttled_bits < 0 ? earlier_bits : guards->throttled_bits | earlier_bits;
}

void guards_write(const struct guards *guards, struct json *json) {
    json_open(json, '{');
    json_text_of(json, "governor", guards->governor);
    json_count_of(json, "frequency_hz", guards->frequency_hz);
    json_count_of(json, "frequency_max_hz", guards->frequency_max_hz);
    json_double_of(json, "temperature_c", guards->temperature_c);
    json_count_of(json, "throttled_bits", guards->throttled_bits);
    json_double_of(json, "load_1min", guards->load_1min);
    json_count_of(json, "cores", guards->cores);
    json_count_of(json, "swapped_pages", guards->swapped_pages);
    json_count_of(json, "swap_used_bytes", guards->swap_used_bytes);
    json_count_of(json, "ram_available_bytes", guards->ram_available_bytes);
    json_close(json, '}');
}

void guards_free(struct guards *guards) {
    free(guards->governor);
    guards->governor = NULL;
}
