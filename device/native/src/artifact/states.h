/* What a step form carries from one frame to the next. Of one that is not there: nothing. */
#ifndef EDGESEQ_STATES_H
#define EDGESEQ_STATES_H

#include "artifact/sheet.h"

/* The bytes of all states. */
long states_bytes(const struct form *step);

/* The frames that attention looks back on; 0 where no layer has any. */
int states_window(const struct form *step);

#endif
