/*
 * The protocol's classification extension: instead of an output's elements the largest values of
 * each row, with their places and labels, as strings "0.750000:2:cat".
 */
#ifndef RF_PROTO_CLASSIFY_H
#define RF_PROTO_CLASSIFY_H

#include "core/tensor.h"
#include "proto/buf.h"

struct rf_classes {
    const struct rf_tensor *values; /* rows are dimension 0, if there are two dimensions or more */
    uint64_t limit;                 /* of the classes of a row */
    char *const *labels;            /* as many as a row has elements, or NULL */
    struct rf_shape shape;          /* of the strings: set by rf_classes_measure */
};

/* Elements that have an order: BOOL has none. */
bool rf_classes_suit(enum rf_dtype dtype);

/* RF_SHAPE when there would be too many strings. */
enum rf_status rf_classes_measure(struct rf_classes *c, struct rf_error *err) RF_CHECKED;

/* Of each row the largest value first; equals in the order of their places, NaN last. As a flat
 * array in JSON, or each as its length in 4 bytes and its bytes. */
enum rf_status rf_classes_write(struct rf_buf *b, const struct rf_classes *c, bool binary,
                                struct rf_error *err) RF_CHECKED;

#endif
