/*
 * Arrays in JSON <-> tensors of any dtype. Reading goes over a text that rf_json_check has passed,
 * in two steps: the shape first, so that nothing is allocated for an array that does not fit; then
 * the numbers, straight into their tensor.
 */
#ifndef RF_PROTO_TENSOR_JSON_H
#define RF_PROTO_TENSOR_JSON_H

#include "core/tensor.h"
#include "proto/buf.h"
#include "proto/numbers.h"

struct rf_json_array {
    const char *at, *end; /* the opening bracket; what is past the closing one */
    struct rf_shape shape;
    int64_t n; /* elements */
};

/* Whether a value is what arrays for `dtype` hold: true or false for BOOL, else a number. */
bool rf_json_is_element(const char *at, enum rf_dtype dtype);

/* An array of booleans when `dtype` is BOOL, else of numbers. RF_SHAPE for ragged arrays, RF_FORMAT
 * for elements of another kind; both say where: "data[1][2]". `path` is the name that the array
 * goes by. */
enum rf_status rf_json_array_measure(struct rf_json_array *out, const char *path, const char *at,
                                     enum rf_dtype dtype, struct rf_error *err) RF_CHECKED;

/*
 * The elements as values of `from`, converted to `to`, which rf_converts allows; `array` was
 * measured for `from`, or `at` is one element without brackets. RF_FORMAT names a value that either
 * cannot hold: out of range, a fraction in an integer.
 */
enum rf_status rf_json_array_read(const struct rf_json_array *array, void *dst, enum rf_dtype to,
                                  enum rf_dtype from, const char *path,
                                  struct rf_error *err) RF_CHECKED;

/* "1,10", of sizes that are known; returns the bytes written, terminator left out. */
#define RF_DIMS_TEXT (RF_MAX_RANK * 21 + RF_NUMBER_TEXT)
size_t rf_dims_print(char out[RF_DIMS_TEXT], const struct rf_shape *shape);

/* Flat "[1.0,2.0]" or nested as `shape` says (rank 0: one element); "[1,2]" for whole numbers,
 * "[true]" for BOOL. */
void rf_json_array_write_flat(struct rf_buf *b, enum rf_dtype dtype, const void *data, size_t n);
void rf_json_array_write(struct rf_buf *b, enum rf_dtype dtype, const void *data,
                         const struct rf_shape *shape);

#endif
