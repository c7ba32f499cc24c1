/* A forecaster's answer in the data's own units, as edgeseq_device.forecast. */
#ifndef EDGESEQ_FORECAST_H
#define EDGESEQ_FORECAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "artifact/sheet.h"
#include "base/failure.h"
#include "base/json.h"

/* Of `*count` values in rows, the last ones that a forecaster takes. BAD_DATA where there are fewer. */
bool forecast_last(const struct sheet *sheet, const float **values, size_t *count, struct failure *failure);

/* The model's numbers [horizon, channels], standardised -> in the data's own units. BAD_DATA where one is NaN
 * or infinity. */
bool forecast_finish(const struct sheet *sheet, float *numbers, struct failure *failure);

/* The channels' names, then a line for each moment. Each number reads back as the same. */
void forecast_write_csv(const struct sheet *sheet, const float *numbers, FILE *file);

/* "channels" and "forecast", rows of numbers: for a JSON object that is open. */
void forecast_write_json(const struct sheet *sheet, const float *numbers, struct json *json);

#endif
