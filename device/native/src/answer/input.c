#include "answer/input.h"

#include <stdint.h>
#include <string.h>

#include "base/text.h"

static const char *const KINDS[] = {
    [INPUT_FEATURES] = "features",
    [INPUT_S16LE] = "s16le",
    [INPUT_F32LE] = "f32le",
};

static bool is_sound(const struct sheet *sheet) {
    return sheet->front_end.kind == FRONT_LOG_MEL;
}

static bool has_readings(const struct sheet *sheet) {
    return is_sound(sheet) || sheet->front_end.kind == FRONT_STANDARDISE;
}

bool input_kind_of(const char *text, const struct sheet *sheet, enum input_kind *kind,
                   struct failure *failure) {
    if (text == NULL)
        text = is_sound(sheet) ? "s16le" : has_readings(sheet) ? "f32le" : "features";
    int found = INPUT_FEATURES;
    while (strcmp(text, KINDS[found]) != 0)
        if (++found > INPUT_F32LE)
            return fail(failure, USAGE, "--input %s is none of features, s16le and f32le", text);
    *kind = (enum input_kind)found;
    if (found == INPUT_S16LE && !is_sound(sheet))
        return fail(failure, USAGE, "--input s16le is sound; %s takes %s", sheet->name,
                    has_readings(sheet) ? "the readings of a series: --input f32le" : "--input features");
    if (found == INPUT_F32LE && !has_readings(sheet))
        return fail(failure, USAGE, "--input f32le: %s has no front end for readings; give --input features",
                    sheet->name);
    return true;
}

size_t input_piece(const struct sheet *sheet, enum input_kind kind) {
    if (kind != INPUT_FEATURES && is_sound(sheet))
        return kind == INPUT_S16LE ? sizeof(int16_t) : sizeof(float);
    return (size_t)sheet->features_count * sizeof(float);
}

const char *input_piece_name(const struct sheet *sheet, enum input_kind kind) {
    return kind != INPUT_FEATURES && is_sound(sheet) ? "sample" : "row";
}

bool input_check_rate(const struct sheet *sheet, long rate_hz, struct failure *failure) {
    int own_hz = sheet->front_end.sample_rate_hz;
    if (!has_readings(sheet))
        return fail(failure, USAGE, "--rate: what %s takes has no sample rate", sheet->name);
    if (own_hz == 0 || rate_hz == own_hz)
        return true;
    if (!is_sound(sheet))
        return fail(failure, BAD_DATA,
                    "readings at %ld Hz: the model was trained at %d Hz, and nothing is resampled here; read"
                    " the sensor at %d Hz",
                    rate_hz, own_hz, own_hz);
    return fail(failure, BAD_DATA,
                "sound at %ld Hz: the model was trained at %d Hz, and nothing is resampled here; record with"
                " arecord -t raw -f S16_LE -c 1 -r %d, or convert it: sox -t raw -e signed -b 16 -c 1 -r %ld"
                " - -t raw -r %d -",
                rate_hz, own_hz, own_hz, rate_hz, own_hz);
}

bool input_is_text(const unsigned char *bytes, size_t size) {
    bool has_blank = false;
    size_t character;
    for (size_t i = 0; i < size; i += character) {
        bool is_blank = bytes[i] == ' ' || (bytes[i] >= '\t' && bytes[i] <= '\r');
        if ((bytes[i] < ' ' && !is_blank) || bytes[i] == 0x7f)
            return false;
        has_blank |= is_blank;
        bool may_be_cut = bytes[i] >= 0x80 && size - i < 4;
        character = may_be_cut ? size - i : text_character((const char *)bytes + i);
        if (character == 0)
            return false;
    }
    return has_blank;
}

static bool refuse_text(const struct sheet *sheet, enum input_kind kind, const char *where,
                        struct failure *failure) {
    bool has_ids = sheet->element == INT32, sound = is_sound(sheet);
    return fail(failure, BAD_DATA,
                "%s: text, not %s values; write them little-endian with numpy's tofile%s; edgeseq run, in"
                " Python, takes %s",
                where,
                kind == INPUT_S16LE ? "s16le"
                : has_ids           ? "int32"
                                    : "float32",
                kind == INPUT_S16LE ? "" : ", or for predict as .npy",
                sound     ? "WAV"
                : has_ids ? "text"
                          : "CSV");
}

bool input_check_plain(const struct sheet *sheet, enum input_kind kind, const unsigned char *bytes,
                       size_t size, const char *where, struct failure *failure) {
    if (size >= 4 && memcmp(bytes, "RIFF", 4) == 0)
        return fail(failure, BAD_DATA,
                    "%s: a WAV file, not raw samples; record with arecord -t raw, or convert it: sox"
                    " FILE.wav -t raw -e signed -b 16 -c 1 FILE.raw",
                    where);
    if (size >= INPUT_HEADER && memcmp(bytes, "\x93NUMPY", INPUT_HEADER) == 0)
        return fail(failure, BAD_DATA, "%s: a .npy file, not raw values; write them with numpy's tofile",
                    where);
    if (size >= INPUT_TEXT && input_is_text(bytes, size))
        return refuse_text(sheet, kind, where, failure);
    return true;
}

void input_from_s16le(const unsigned char *bytes, size_t count, float *samples) {
    for (size_t i = 0; i < count; i++) {
        int16_t sample;
        memcpy(&sample, bytes + sizeof sample * i, sizeof sample);
        samples[i] = (float)sample / 32768;
    }
}
