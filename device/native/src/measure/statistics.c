#include "measure/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Puts in place `at` of `values` what would be there if they were sorted, nothing larger before it and
 * nothing smaller behind it (Hoare 1961, Algorithm 65: FIND). */
static double select_at(double *values, size_t count, size_t at) {
    size_t low = 0, high = count - 1;
    while (low < high) {
        double pivot = values[low + (high - low) / 2];
        size_t left = low, right = high;
        for (;;) {
            while (values[left] < pivot)
                left++;
            while (values[right] > pivot)
                right--;
            if (left >= right)
                break;
            double swapped = values[left];
            values[left++] = values[right];
            values[right--] = swapped;
        }
        if (at <= right)
            high = right;
        else
            low = right + 1;
    }
    return values[at];
}

double statistics_median_of(double *values, size_t count) {
    double upper = select_at(values, count, count / 2);
    if (count % 2 == 1)
        return upper;
    double lower = values[0];
    for (size_t i = 1; i < count / 2; i++)
        lower = fmax(lower, values[i]);
    return (lower + upper) / 2;
}

double statistics_median(const double *values, size_t count) {
    double *copy = malloc(count * sizeof *copy);
    if (copy == NULL)
        return NAN;
    memcpy(copy, values, count * sizeof *copy);
    double median = statistics_median_of(copy, count);
    free(copy);
    return median;
}

double statistics_percentile(const double *sorted, size_t count, double percent) {
    double place = percent / 100 * (double)(count - 1);
    size_t at = (size_t)place;
    if (at + 1 >= count)
        return sorted[count - 1];
    double share = place - (double)at, step = sorted[at + 1] - sorted[at];
    return share < 0.5 ? sorted[at] + step * share : sorted[at + 1] - step * (1 - share);
}

static int by_size(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void statistics_sort(double *values, size_t count) {
    qsort(values, count, sizeof *values, by_size);
}
