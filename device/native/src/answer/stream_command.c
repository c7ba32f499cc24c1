/* `edgeseq-run stream`: an answer for every frame of readings that come on stdin. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer/answering.h"
#include "base/finite.h"
#include "commands.h"
#include "front_end/stream_features.h"
#include "litert/give_back.h"
#include "process/pipes.h"

static const char USE[] =
    "edgeseq-run stream ARTIFACT: answers readings on stdin as they come, by the model's step form\n"
    "\n"
    "Each answer rests on all frames so far and is a line of JSON: frame (from 0), label (null: none of the\n"
    "classes), probability. Such as: arecord -q -t raw -f S16_LE -c 1 -r 8000 | edgeseq-run stream ARTIFACT\n"
    "  --input s16le      mono sound of 16 bits (of a sound the default)\n"
    "  --input f32le      float32 readings: sound in [-1, 1], or the rows of a series (of which the "
    "default)\n"
    "  --input features   rows [F] as the model takes them: float32, or int32 of a text (of which the "
    "default)\n"
    "  --rate HZ          of the readings; refused where it is not the model's\n"
    "  --every N          a line for every N-th answer [default: 1]\n"
    "  --logits           the logits too\n"
    "SIGTERM and SIGINT end it after the line that is being written.\n";

enum { BUFFER_BYTES = 16384 };

struct stream {
    struct answering answering;
    const struct options *options;
    struct pipes pipes;
    struct stream_features *features; /* NULL: the rows are the frames */
    FILE *line;                       /* writes into text, of `size` bytes */
    char *text;
    size_t size;
    unsigned char *buffer; /* of whole pieces, and what has come of the next one */
    float *samples;        /* [capacity / 2]: the buffer's, where they are of 16 bits */
    size_t capacity, filled, piece;
    long long pieces, steps; /* until now */
};

static bool open_stream(struct stream *stream, struct failure *failure) {
    const struct sheet *sheet = &stream->answering.artifact.sheet;
    stream->piece = input_piece(sheet, stream->answering.kind);
    stream->capacity = stream->piece > BUFFER_BYTES ? stream->piece : BUFFER_BYTES;
    stream->buffer = malloc(stream->capacity);
    stream->samples = malloc(stream->capacity / sizeof(short) * sizeof(float));
    stream->line = open_memstream(&stream->text, &stream->size);
    if (stream->buffer == NULL || stream->samples == NULL || stream->line == NULL)
        return fail_memory(failure);
    if (stream->answering.kind == INPUT_FEATURES)
        return true;
    stream->features = stream_features_new(&sheet->front_end, failure);
    return stream->features != NULL;
}

static void close_stream(struct stream *stream) {
    stream_features_free(stream->features);
    if (stream->line != NULL)
        fclose(stream->line);
    free(stream->text);
    free(stream->buffer);
    free(stream->samples);
}

static enum pipes_event print(struct stream *stream, const struct answer *answer, struct failure *failure) {
    rewind(stream->line);
    struct json json = json_to(stream->line, false);
    json_open(&json, '{');
    json_key(&json, "frame");
    json_long(&json, (long)(stream->steps - 1));
    answering_write(&stream->answering, answer, stream->options->logits, &json);
    json_close(&json, '}');
    fputc('\n', stream->line);
    if (fflush(stream->line) != 0) {
        fail_memory(failure);
        return PIPES_FAILED;
    }
    return pipes_write(&stream->pipes, stream->text, stream->size, failure);
}

/* What went wrong, and where in the input. */
static enum pipes_event failed_at(const struct stream *stream, long long piece, const struct failure *why,
                                  struct failure *failure) {
    const struct answering *answering = &stream->answering;
    fail(failure, why->exit_code, "stdin: %s %lld (from 0), after %lld answers: %s",
         input_piece_name(&answering->artifact.sheet, answering->kind), piece, stream->steps, why->message);
    return PIPES_FAILED;
}

/* One frame [F], which ends with this piece of the input. */
static enum pipes_event step(struct stream *stream, const void *frame, long long piece,
                             struct failure *failure) {
    struct answering *answering = &stream->answering;
    const struct sheet *sheet = &answering->artifact.sheet;
    struct failure why = {FAULT, ""};
    struct answer answer;
    size_t count = (size_t)sheet->features_count;
    if (sheet->element == FLOAT32 && finite_count(frame, count) < count) {
        fail(&why, BAD_DATA, "its features are beyond float32");
        return failed_at(stream, piece, &why, failure);
    }
    if (!model_step(answering->model, frame, answering->logits, &why) ||
        !answer_of(sheet, answering->logits, &answer, &why))
        return failed_at(stream, piece, &why, failure);
    stream->steps++;
    return stream->steps % stream->options->every == 0 ? print(stream, &answer, failure) : PIPES_GO_ON;
}

/* `count` values of readings, which are all finite, through the front end. */
static enum pipes_event push(struct stream *stream, const float *values, size_t count, size_t values_in_piece,
                             struct failure *failure) {
    enum pipes_event event = PIPES_GO_ON;
    for (size_t at = 0; at < count && event == PIPES_GO_ON;) {
        const float *frame;
        at += stream_features_push(stream->features, values + at, count - at, &frame);
        long long piece = stream->pieces + (long long)((at - 1) / values_in_piece);
        if (frame != NULL)
            event = step(stream, frame, piece, failure);
    }
    return event;
}

/* Floats, as rows or as samples: those before the first that is not finite count. */
static enum pipes_event take_floats(struct stream *stream, const float *values, size_t pieces,
                                    size_t values_in_piece, struct failure *failure) {
    size_t good = finite_count(values, pieces * values_in_piece) / values_in_piece;
    enum pipes_event event = PIPES_GO_ON;
    if (stream->features != NULL)
        event = push(stream, values, good * values_in_piece, values_in_piece, failure);
    else
        for (size_t i = 0; i < good && event == PIPES_GO_ON; i++)
            event = step(stream, values + i * values_in_piece, stream->pieces + (long long)i, failure);
    if (event == PIPES_GO_ON && good < pieces) {
        struct failure why;
        fail(&why, BAD_DATA, "it holds NaN or infinity");
        event = failed_at(stream, stream->pieces + (long long)good, &why, failure);
    }
    return event;
}

static enum pipes_event take_ids(struct stream *stream, size_t pieces, struct failure *failure) {
    enum pipes_event event = PIPES_GO_ON;
    for (size_t i = 0; i < pieces && event == PIPES_GO_ON; i++)
        event = step(stream, stream->buffer + i * stream->piece, stream->pieces + (long long)i, failure);
    return event;
}

/* The whole pieces in the buffer. */
static enum pipes_event take_pieces(struct stream *stream, struct failure *failure) {
    size_t pieces = stream->filled / stream->piece, used = pieces * stream->piece;
    enum pipes_event event;
    if (stream->answering.artifact.sheet.element == INT32) {
        event = take_ids(stream, pieces, failure);
    } else if (stream->answering.kind == INPUT_S16LE) {
        input_from_s16le(stream->buffer, pieces, stream->samples);
        event = take_floats(stream, stream->samples, pieces, 1, failure);
    } else {
        event = take_floats(stream, (const float *)(const void *)stream->buffer, pieces,
                            stream->piece / sizeof(float), failure);
    }
    stream->pieces += (long long)pieces;
    stream->filled -= used;
    memmove(stream->buffer, stream->buffer + used, stream->filled);
    return event;
}

/* What is left when the input has ended. */
static enum pipes_event finish(struct stream *stream, struct failure *failure) {
    const struct answering *answering = &stream->answering;
    enum pipes_event event = take_pieces(stream, failure);
    const float *frame = NULL;
    if (event == PIPES_GO_ON && stream->features != NULL)
        frame = stream_features_end(stream->features);
    if (frame != NULL)
        event = step(stream, frame, stream->pieces - 1, failure);
    if (event != PIPES_GO_ON || stream->filled == 0)
        return event;
    fail(failure, BAD_DATA,
         "stdin: ends within %s %lld (from 0), after %lld answers: %zu of its %zu bytes are there",
         input_piece_name(&answering->artifact.sheet, answering->kind), stream->pieces, stream->steps,
         stream->filled, stream->piece);
    return PIPES_FAILED;
}

/* The first bytes: whether they can be values at all. PIPES_GO_ON with *wait: more are needed to say. */
static enum pipes_event check_first(const struct stream *stream, bool *wait, struct failure *failure) {
    const struct answering *answering = &stream->answering;
    *wait = stream->filled < INPUT_HEADER ||
            (stream->filled < INPUT_TEXT && input_is_text(stream->buffer, stream->filled));
    return input_check_plain(&answering->artifact.sheet, answering->kind, stream->buffer, stream->filled,
                             "stdin", failure)
               ? PIPES_GO_ON
               : PIPES_FAILED;
}

/* Reads until the input ends or there is another reason to end; PIPES_GO_ON: the input has ended. */
static enum pipes_event run(struct stream *stream, struct failure *failure) {
    for (;;) {
        enum pipes_event event = pipes_wait(&stream->pipes, failure);
        if (event != PIPES_GO_ON)
            return event;
        ssize_t size =
            read(stream->pipes.input, stream->buffer + stream->filled, stream->capacity - stream->filled);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (size < 0) {
            fail_errno(failure, FAULT, "stdin", "cannot be read");
            return PIPES_FAILED;
        }
        stream->filled += (size_t)size;
        bool wait = false;
        if (stream->pieces == 0)
            event = check_first(stream, &wait, failure);
        if (event != PIPES_GO_ON)
            return event;
        if (size == 0)
            return finish(stream, failure);
        if (wait)
            continue;
        event = take_pieces(stream, failure);
        if (event != PIPES_GO_ON)
            return event;
    }
}

static enum pipes_event open_and_run(struct stream *stream, struct failure *failure) {
    const struct sheet *sheet = &stream->answering.artifact.sheet;
    if (!sheet->step.there) {
        fail(failure, USAGE, "%s has no step form (%s); answer whole inputs with edgeseq-run predict",
             sheet->name, sheet->step.reason);
        return PIPES_FAILED;
    }
    if (isatty(STDIN_FILENO)) {
        fail(failure, USAGE, "stdin is a terminal; pipe readings into it, see: edgeseq-run stream --help");
        return PIPES_FAILED;
    }
    bool ready = pipes_open(&stream->pipes, STDIN_FILENO, STDOUT_FILENO, failure) &&
                 open_stream(stream, failure) &&
                 answering_load(stream->options, &stream->answering, failure) &&
                 model_prepare_step(stream->answering.model, failure);
    if (!ready)
        return PIPES_FAILED;
    model_reset(stream->answering.model);
    give_back_code();
    return run(stream, failure);
}

int command_stream(int argc, char **argv, struct failure *failure) {
    static const char *const WHY[] = {
        [PIPES_GO_ON] = "the input ended", [PIPES_ENDED] = "told to end", [PIPES_CLOSED] = "nobody reads"};
    struct options options;
    if (!options_parse(argc, argv, STREAM, 1, 1, "an artifact alone: it reads stdin", &options, failure))
        return FAILED;
    if (options.help)
        return options_help(USE);
    struct stream stream = {.options = &options, .pipes.signals = -1};
    if (!answering_open(&options, NULL, &stream.answering, failure))
        return FAILED;
    enum pipes_event event = open_and_run(&stream, failure);
    if (event != PIPES_FAILED && event != PIPES_CLOSED)
        fprintf(stderr, "edgeseq-run: %lld steps, then %s\n", stream.steps, WHY[event]);
    pipes_close(&stream.pipes);
    close_stream(&stream);
    answering_close(&stream.answering);
    return event == PIPES_FAILED ? FAILED : 0;
}
