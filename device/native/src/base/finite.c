#include "base/finite.h"

#include <math.h>

size_t finite_count(const float *values, size_t count) {
    size_t found = 0;
    while (found < count && isfinite(values[found]))
        found++;
    return found;
}
