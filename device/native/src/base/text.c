#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_digits(const char *text) {
    return text + strspn(text, "0123456789");
}

bool text_is_long(const char *text, long *value) {
    const char *digits = text + (*text == '-');
    const char *end = skip_digits(digits);
    if (end == digits || *end != '\0')
        return false;
    errno = 0;
    *value = strtol(text, NULL, 10);
    return errno == 0;
}

bool text_is_double(const char *text, double *value) {
    const char *whole = text + (*text == '-');
    const char *end = skip_digits(whole);
    ptrdiff_t digits = end - whole;
    if (*end == '.') {
        const char *fraction = end + 1;
        end = skip_digits(fraction);
        digits += end - fraction;
    }
    if (digits > 0 && (*end == 'e' || *end == 'E')) {
        const char *exponent = end + 1;
        exponent += *exponent == '-' || *exponent == '+';
        end = skip_digits(exponent);
        digits = end - exponent;
    }
    if (digits == 0 || *end != '\0')
        return false;
    *value = strtod(text, NULL);
    return isfinite(*value);
}

bool text_long(const char *what, const char *text, long low, long high, long *value,
               struct failure *failure) {
    if (text_is_long(text, value) && *value >= low && *value <= high)
        return true;
    return fail(failure, USAGE, "%s is %.60s, must be a whole number from %ld to %ld", what, text, low, high);
}

bool text_double(const char *what, const char *text, double low, double high, double *value,
                 struct failure *failure) {
    if (text_is_double(text, value) && *value >= low && *value <= high)
        return true;
    return fail(failure, USAGE, "%s is %.60s, must be a number from %g to %g", what, text, low, high);
}

static int hexadecimal(char digit) {
    static const char DIGITS[] = "0123456789abcdef";
    if (digit >= 'A' && digit <= 'F')
        digit = (char)(digit - 'A' + 'a');
    const char *found = digit == '\0' ? NULL : strchr(DIGITS, digit);
    return found == NULL ? -1 : (int)(found - DIGITS);
}

bool text_decode(char *text) {
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = hexadecimal(from[1]);
        int low = high < 0 ? -1 : hexadecimal(from[2]);
        if (low < 0 || high + low == 0)
            return false;
        *to++ = (char)(high * 16 + low);
        from += 2;
    }
    *to = '\0';
    return true;
}

size_t text_character(const char *text) {
    const unsigned char *bytes = (const unsigned char *)text;
    unsigned first = bytes[0];
    if (first < 0x80)
        return 1;
    size_t size = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    for (size_t i = 1; i < size; i++)
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (first == 0xE0 && bytes[1] < 0xA0) || (first == 0xF0 && bytes[1] < 0x90);
    bool outside = (first == 0xED && bytes[1] > 0x9F) || (first == 0xF4 && bytes[1] > 0x8F);
    return overlong || outside ? 0 : size;
}

bool text_is_utf8(const char *text) {
    for (size_t size; *text != '\0'; text += size)
        if ((size = text_character(text)) == 0)
            return false;
    return true;
}
