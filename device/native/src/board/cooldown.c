#include "board/cooldown.h"

#include <math.h>
#include <stdio.h>

#include "board/guards.h"

static const double WARMER_C = 3; /* as much warmer than before the first measurement a board may be */

/* A board that has not become cooler for so long does not become cooler: the room has, or it was, warmer. */
static const double STEADY_S = 20;

static const double POLL_S = 1;

void cooldown_wait(const char *root, double wanted_c, double max_s, struct watch *watch) {
    double begin_s = watch_now_s(), coolest_s = begin_s, coolest = NAN;
    while (!isnan(wanted_c) && watch_now_s() - begin_s < max_s) {
        double now = guards_temperature_c(root);
        if (isnan(now) || now <= wanted_c + WARMER_C)
            return;
        if (isnan(coolest))
            fprintf(stderr, "waiting for the board to cool: %.0f °C\n", now);
        if (isnan(coolest) || now < coolest) {
            coolest = now;
            coolest_s = watch_now_s();
        } else if (watch_now_s() - coolest_s >= STEADY_S) {
            return;
        }
        if (!watch_wait(watch, POLL_S))
            return;
    }
}
