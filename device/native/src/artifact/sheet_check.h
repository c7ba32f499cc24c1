/* Whether what a sheet says can be true together. */
#ifndef EDGESEQ_SHEET_CHECK_H
#define EDGESEQ_SHEET_CHECK_H

#include <stdbool.h>

#include "artifact/sheet.h"
#include "base/failure.h"

/* BAD_DATA names the item that cannot be; `path` is for messages. */
bool sheet_check(const struct sheet *sheet, const char *path, struct failure *failure);

#endif
