/* What a step form carries from one frame to the next. Of one that is not there: nothing. */
#ifndef EDGESEQ_STATES_H
#define EDGESEQ_STATES_H

#include "artifact/sheet.h"

/* The bytes of all states. */
long states_bytes(const struct form *step);

/* The tokens that every layer of attention sees; 0 where a layer has a state of another kind, which may tell
 * of any token before. */
int states_window(const struct form *step);

#endif
