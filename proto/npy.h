/*
 * NumPy's .npy files, format versions 1 to 3: little-endian numbers and booleans of any rank up to
 * RF_MAX_RANK, C or Fortran order.
 */
#ifndef RF_PROTO_NPY_H
#define RF_PROTO_NPY_H

#include "core/tensor.h"
#include "proto/buf.h"

struct rf_npy {
    enum rf_dtype dtype;
    bool fortran; /* first dimension fastest */
    struct rf_shape shape;
    const void *data; /* borrowed; at any alignment */
    int64_t n;        /* elements */
};

/* True when the bytes start as .npy files do. */
bool rf_npy_is(const void *bytes, size_t len);
/* RF_FORMAT or RF_UNSUPPORTED; `what` starts the message. */
enum rf_status rf_npy_read(struct rf_npy *out, const char *what, const void *bytes, size_t len,
                           struct rf_error *err) RF_CHECKED;

enum { RF_NPY_LONGEST_HEADER = 65536 };
/* The beginning of a file; the longest header and 12 bytes are enough. */
struct rf_npy_part {
    const char *what; /* starts messages */
    const void *bytes;
    size_t have, len; /* bytes there, and in the whole file */
};
/* The same of a part: the elements, out->data being NULL, begin at the file's byte `*start`. */
enum rf_status rf_npy_head(struct rf_npy *out, size_t *start, const struct rf_npy_part *part,
                           struct rf_error *err) RF_CHECKED;

/* Dense row-major elements of `to` into `dst`, npy->n of them, by the rules of rf_convert. RF_NOMEM
 * may happen for Fortran order. */
enum rf_status rf_npy_convert(const struct rf_npy *npy, void *dst, enum rf_dtype to,
                              const char *what, struct rf_error *err) RF_CHECKED;

/* A version 1 file in C order; what fails is in b->status. */
void rf_npy_write(struct rf_buf *b, enum rf_dtype dtype, const struct rf_shape *shape,
                  const void *data);

#endif
