#include "measure/counting.h"

#include <unistd.h>

/* As edgeseq_device.measuring.counting: no process has such an id, the call itself is the mark. */
enum { REGION_BEGIN = 0x45440000, REGION_END = REGION_BEGIN | 0x8000 };

void counting_begin(void) {
    (void)getpgid(REGION_BEGIN);
}

void counting_end(void) {
    (void)getpgid(REGION_END);
}
