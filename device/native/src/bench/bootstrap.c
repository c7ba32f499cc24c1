/* statistics_bootstrap_p50: drawing is counting. Of all samples, sorted once, a draw raises the count of its
 * rank; the median of a round is then found by adding up counts, without sorting again. */
#include <stdlib.h>
#include <string.h>

#include "measure/statistics.h"

enum { ROUNDS = 500 };

/* Vigna's splitmix64 (Steele, Lea & Flood 2014, Fast splittable pseudorandom number generators): small, and
 * the same numbers on every machine. */
static uint64_t next_random(uint64_t *seed) {
    uint64_t mixed = *seed += 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    return mixed ^ (mixed >> 31);
}

/* A number below `limit`, which is small against 2^32, from 32 random bits (Lemire 2019). */
static size_t below(uint32_t random, size_t limit) {
    return (size_t)((uint64_t)random * limit >> 32);
}

struct sample {
    double value;
    uint32_t place; /* in the row of all launches' samples */
};

static int by_value(const void *left, const void *right) {
    double a = ((const struct sample *)left)->value, b = ((const struct sample *)right)->value;
    return (a > b) - (a < b);
}

/* All launches' samples: sorted[rank], and the rank of each, launch by launch. */
struct pool {
    size_t count;
    struct sample *sorted;
    uint32_t *ranks, *counts;
};

static bool pool_fill(struct pool *pool, const struct launches *launches) {
    for (size_t i = 0; i < launches->count; i++)
        pool->count += launches->sizes[i];
    pool->sorted = calloc(pool->count, sizeof *pool->sorted);
    pool->ranks = calloc(pool->count, sizeof *pool->ranks);
    pool->counts = calloc(pool->count, sizeof *pool->counts);
    if (pool->sorted == NULL || pool->ranks == NULL || pool->counts == NULL)
        return false;
    uint32_t place = 0;
    for (size_t i = 0; i < launches->count; i++)
        for (size_t j = 0; j < launches->sizes[i]; j++, place++)
            pool->sorted[place] = (struct sample){launches->samples[i][j], place};
    qsort(pool->sorted, pool->count, sizeof *pool->sorted, by_value);
    for (uint32_t rank = 0; rank < pool->count; rank++)
        pool->ranks[pool->sorted[rank].place] = rank;
    return true;
}

/* Draws the launches and their samples; how many were drawn. */
static size_t draw(struct pool *pool, const struct launches *launches, uint64_t *seed) {
    size_t drawn = 0;
    memset(pool->counts, 0, pool->count * sizeof *pool->counts);
    for (size_t i = 0; i < launches->count; i++) {
        size_t which = below((uint32_t)(next_random(seed) >> 32), launches->count), first = 0;
        for (size_t j = 0; j < which; j++)
            first += launches->sizes[j];
        size_t size = launches->sizes[which];
        for (size_t j = 0; j < size; j += 2) {
            uint64_t random = next_random(seed);
            pool->counts[pool->ranks[first + below((uint32_t)random, size)]]++;
            if (j + 1 < size)
                pool->counts[pool->ranks[first + below((uint32_t)(random >> 32), size)]]++;
        }
        drawn += size;
    }
    return drawn;
}

static double median_drawn(const struct pool *pool, size_t drawn) {
    size_t seen = 0, rank = 0;
    while (seen + pool->counts[rank] <= (drawn - 1) / 2)
        seen += pool->counts[rank++];
    double lower = pool->sorted[rank].value;
    while (seen + pool->counts[rank] <= drawn / 2)
        seen += pool->counts[rank++];
    return (lower + pool->sorted[rank].value) / 2;
}

bool statistics_bootstrap_p50(const struct launches *launches, double *low, double *high) {
    struct pool pool = {0};
    bool filled = pool_fill(&pool, launches);
    if (filled) {
        double medians[ROUNDS];
        uint64_t seed = 0;
        for (int i = 0; i < ROUNDS; i++)
            medians[i] = median_drawn(&pool, draw(&pool, launches, &seed));
        statistics_sort(medians, ROUNDS);
        *low = statistics_percentile(medians, ROUNDS, 2.5);
        *high = statistics_percentile(medians, ROUNDS, 97.5);
    }
    free(pool.sorted);
    free(pool.ranks);
    free(pool.counts);
    return filled;
}
