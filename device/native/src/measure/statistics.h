/* Medians, percentiles, and their intervals, as edgeseq_device.measuring.measure. */
#ifndef EDGESEQ_STATISTICS_H
#define EDGESEQ_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The median of `count` > 0 values, of an even number the mean of the middle two. NaN without memory for a
 * copy of them. */
double statistics_median(const double *values, size_t count);

/* The same of values that it may put in another order; needs no memory. */
double statistics_median_of(double *values, size_t count);

/* `percent` (0 to 100) of `count` > 0 values in rising order, interpolated linearly as numpy.percentile. */
double statistics_percentile(const double *sorted, size_t count, double percent);

/* Sorts into rising order. */
void statistics_sort(double *values, size_t count);

/* The samples of some process launches. */
struct launches {
    size_t count;
    const double *const *samples; /* [count], each [sizes[i]] */
    const size_t *sizes;
};

/* A 95 % interval of the median: launches are drawn with replacement, then samples within each, 500 times
 * (Efron & Tibshirani 1993, An Introduction to the Bootstrap, percentile interval, section 13.3). Each launch
 * has a sample at least. False without the memory. */
bool statistics_bootstrap_p50(const struct launches *launches, double *low, double *high);

#endif
