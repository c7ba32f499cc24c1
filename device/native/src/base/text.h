/* Numbers and texts as people and files write them: strict, whatever the locale, with nothing before or
 * after. */
#ifndef EDGESEQ_TEXT_H
#define EDGESEQ_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"

/* The value of an option (`what`, such as "--threads"): a whole decimal number from low to high. USAGE names
 * the option, what was given and the limits. */
bool text_long(const char *what, const char *text, long low, long high, long *value, struct failure *failure);

/* Likewise a finite decimal number from low to high. */
bool text_double(const char *what, const char *text, double low, double high, double *value,
                 struct failure *failure);

/* Whether all of text is a whole decimal number that a long holds: no sign but -, no blank. */
bool text_is_long(const char *text, long *value);

/* Whether all of text is a finite decimal number as Python's repr writes it: no hexadecimal, inf or nan. */
bool text_is_double(const char *text, double *value);

/* Undoes percent-encoding (%41 is A) of a text in place. False, with the text spoilt, where a % is not
 * followed by two hexadecimal digits or stands for a NUL. */
bool text_decode(char *text);

/* The bytes of the UTF-8 character that a text begins with, 1 for its NUL; 0 where there is none. */
size_t text_character(const char *text);

/* Whether a text is UTF-8 as RFC 3629 has it: nothing overlong, no surrogates. */
bool text_is_utf8(const char *text);

#endif
