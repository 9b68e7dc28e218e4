/*
 * What the decoders of the body forms share. Inside proto only.
 */
#ifndef RF_PROTO_INFER_DECODE_H
#define RF_PROTO_INFER_DECODE_H

#include "proto/infer.h"

struct rf_decoder {
    struct rf_infer_request *out;
    const struct rf_model_io *io;
    const struct rf_decode_options *options;
    const char *what; /* the body, in messages */
    size_t bytes;     /* allocated for inputs so far */
    const char *tail; /* binary tensors that no input has taken yet */
    size_t tail_len;
    struct rf_error *err;
};

/* The model's one input; else RF_INVALID says what `form` (a "raw body") needs. */
enum rf_status rf_decode_only_input(struct rf_decoder *d, const char *form,
                                    const struct rf_io **input) RF_CHECKED;

/* Whether a request may send the input's elements as `dtype`. */
bool rf_decode_takes(const struct rf_io *input, enum rf_dtype dtype);
/* What is said when not: RF_UNSUPPORTED. */
enum rf_status rf_decode_wrong_type(struct rf_decoder *d, const struct rf_io *input,
                                    const char *datatype) RF_CHECKED;

/* Whether `got` is as declared. Open dimensions take 1 and more, the first one 0, too. */
bool rf_decode_fits(const struct rf_shape *declared, const struct rf_shape *got);

/* The shape of a row of what is declared, of rank 1 and more, and its elements; false where it has
 * open dimensions. */
bool rf_decode_row(const struct rf_shape *declared, struct rf_shape *row, int64_t *n);

/*
 * The shape that an array means for the one input. For [n]+S, S fixed and P the product of S: S,
 * [n]+S, [P], [n,P] match in this order; with `batches`, [n]+S and [n,P] only, and [n] if P is 1.
 * Without an open dimension n is what is declared, and the elements may come flat. An input with
 * other open dimensions takes its own rank only.
 */
enum rf_status rf_decode_match(struct rf_decoder *d, const char *what, const struct rf_shape *got,
                               bool batches, struct rf_shape *shape) RF_CHECKED;

/* Gives input i its shape and room for its elements, within the budget. */
enum rf_status rf_decode_room(struct rf_decoder *d, size_t i, const struct rf_shape *shape,
                              void **data) RF_CHECKED;

/* Gives input i its shape and its elements: at `bytes`, of `dtype`, at any alignment, as many as
 * the shape says. `what` names them in messages. */
enum rf_status rf_decode_elements(struct rf_decoder *d, size_t i, const struct rf_shape *shape,
                                  enum rf_dtype dtype, const void *bytes,
                                  const char *what) RF_CHECKED;

/* All of the model's outputs are wanted. */
enum rf_status rf_decode_all_outputs(struct rf_decoder *d, bool binary) RF_CHECKED;

enum rf_status rf_decode_json(struct rf_decoder *d, const void *body, size_t len) RF_CHECKED;
/* "instances": [{"x": [...], "z": [...]}, ...]: each row by the names of the inputs. */
enum rf_status rf_decode_named_rows(struct rf_decoder *d, const char *array) RF_CHECKED;
enum rf_status rf_decode_oip(struct rf_decoder *d, const char *object) RF_CHECKED;

#endif
