/* guards_judge(): the rules that a measurement is held to, in the words of measuring.guards. */
#include <math.h>
#include <string.h>

#include "board/guards.h"

static const double HOT_C = 80; /* from here on a Raspberry Pi lowers its clock */

/* A service that wakes up may fetch a megabyte back; more than that disturbs a measurement. */
enum { SWAPPED_PAGES_MAX = 256 };

static const char *const THROTTLED[] = {"under-voltage", "frequency capped", "throttled",
                                        "soft temperature limit"};

static void judge_throttling(const struct guards *before, const struct guards *after, struct texts *broken,
                             struct texts *warnings) {
    unsigned long earlier = before->throttled_bits < 0 ? 0 : (unsigned long)before->throttled_bits;
    unsigned long later = after->throttled_bits < 0 ? 0 : (unsigned long)after->throttled_bits;
    for (unsigned bit = 0; bit < sizeof THROTTLED / sizeof *THROTTLED; bit++) {
        bool happened = (((earlier | later) >> bit) & 1) || (((later & ~earlier) >> (bit + 16)) & 1);
        if (happened)
            texts_add(broken, "the board reported %s during the measurement: check its supply and cooling",
                      THROTTLED[bit]);
        else if ((earlier >> (bit + 16)) & 1)
            texts_add(warnings, "the board has reported %s since it booted, not during the measurement",
                      THROTTLED[bit]);
    }
    const struct guards *const readings[] = {before, after};
    for (int i = 0; i < 2; i++)
        if (readings[i]->temperature_c >= HOT_C)
            texts_add(broken, "%.0f °C %s the measurement: let the board cool below %.0f",
                      readings[i]->temperature_c, i == 0 ? "before" : "after", HOT_C);
}

static void judge_clock(const struct guards *before, const struct guards *after, struct texts *broken,
                        struct texts *warnings) {
    const char *earlier = before->governor == NULL ? "None" : before->governor;
    const char *governor = after->governor == NULL ? "None" : after->governor;
    bool performs = strcmp(governor, "performance") == 0;
    if (strcmp(governor, earlier) != 0)
        texts_add(broken, "the governor changed from %s to %s during the measurement", earlier, governor);
    else if (strcmp(governor, "powersave") == 0)
        texts_add(broken, "the governor is powersave, which holds the lowest clock: choose performance or "
                          "ondemand");
    else if (after->governor != NULL && !performs)
        texts_add(warnings, "the governor is %s: the clock may change during a measurement", governor);
    double frequency = (double)after->frequency_hz, highest = (double)after->frequency_max_hz;
    if (performs && frequency > 0 && highest > 0 && frequency < 0.9 * highest)
        texts_add(warnings, "the clock was %.2f GHz afterwards, its maximum is %.2f GHz", frequency / 1e9,
                  highest / 1e9);
}

static void judge_memory(const struct guards *before, const struct guards *after, struct texts *broken,
                         struct texts *warnings) {
    long earlier = before->swapped_pages, later = after->swapped_pages;
    if (earlier >= 0 && later > earlier)
        texts_add(later - earlier > SWAPPED_PAGES_MAX ? broken : warnings,
                  "the machine swapped %ld pages during the measurement: free some RAM first",
                  later - earlier);
    double available = (double)before->ram_available_bytes;
    if (available >= 0 && available < 64e6)
        texts_add(warnings, "only %.0f MB of RAM were free before the measurement", available / 1e6);
}

void guards_judge(const struct guards *before, const struct guards *after, struct texts *broken,
                  struct texts *warnings) {
    judge_throttling(before, after, broken, warnings);
    judge_clock(before, after, broken, warnings);
    judge_memory(before, after, broken, warnings);
    long cores = before->cores > 0 ? before->cores : 1;
    if (before->load_1min > (double)cores / 2)
        texts_add(warnings, "the machine was busy before the measurement: load %.1f on %ld cores",
                  before->load_1min, cores);
}
