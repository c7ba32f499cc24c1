/* Marks for counting the instructions of a region, where the emulator does the counting: its plugin takes two
 * impossible system calls for the borders. Who started the emulator reads its log. */
#ifndef EDGESEQ_COUNTING_H
#define EDGESEQ_COUNTING_H

enum { COUNTING_WARMUP_RUNS = 10 };

void counting_begin(void);
void counting_end(void);

#endif
