/* What the bytes given to `predict` and `stream` are: features, or the readings that the front end takes. */
#ifndef EDGESEQ_INPUT_H
#define EDGESEQ_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "artifact/sheet.h"
#include "base/failure.h"

/* FEATURES: rows [F] of the sheet's element, as the model takes them. F32LE: readings as the front end takes
 * them, of a sound samples in [-1, 1], of a series rows. S16LE: samples of a sound, full scale 32768. */
enum input_kind { INPUT_FEATURES, INPUT_S16LE, INPUT_F32LE };

/* The kind that an option's text names, for this sheet. USAGE for another text or a kind that it does not
 * take; NULL is what a stream is by itself: s16le of a sound, f32le of a series, else features. */
bool input_kind_of(const char *text, const struct sheet *sheet, enum input_kind *kind,
                   struct failure *failure);

/* The bytes of one piece: a sample of a sound, a row of anything else. */
size_t input_piece(const struct sheet *sheet, enum input_kind kind);

/* "sample" or "row". */
const char *input_piece_name(const struct sheet *sheet, enum input_kind kind);

/* BAD_DATA, with what to do, where the readings come at another rate than the model's; 0 is unknown. USAGE
 * where a rate says nothing about what the model takes. */
bool input_check_rate(const struct sheet *sheet, long rate_hz, struct failure *failure);

enum { INPUT_HEADER = 6 }; /* bytes that tell a file with a header from a plain one */

enum { INPUT_TEXT = 16 }; /* bytes that tell text from values that happen to look like it */

/* Whether bytes are text, such as CSV: printable ASCII, UTF-8 and white space, and some of the latter, as
 * values that are all the same can be printable too: 0.7 is "333?". The last character may be cut off. */
bool input_is_text(const unsigned char *bytes, size_t size);

/* BAD_DATA, with what to do, where a plain input begins as a WAV or a .npy file does or where all of it is
 * text, of INPUT_TEXT bytes or more; `where` is for messages. */
bool input_check_plain(const struct sheet *sheet, enum input_kind kind, const unsigned char *bytes,
                       size_t size, const char *where, struct failure *failure);

/* Samples as float in [-1, 1]. */
void input_from_s16le(const unsigned char *bytes, size_t count, float *samples);

#endif
