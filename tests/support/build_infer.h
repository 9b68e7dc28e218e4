/*
 * The models that the tests of requests pretend to serve, and how they write a request.
 */
#ifndef RF_TESTS_BUILD_INFER_H
#define RF_TESTS_BUILD_INFER_H

#include "proto/infer.h"
#include "tests/support/build_test.h"

static const struct rf_io one_input[] = {
    {.name = "x", .dtype = RF_F32, .shape = {.rank = 3, .dim = {-1, 2, 3}}}};
static const struct rf_io one_output[] = {
    {.name = "y", .dtype = RF_F32, .shape = {.rank = 2, .dim = {-1, 2}}}};
static const struct rf_io two_inputs[] = {
    {.name = "a", .dtype = RF_F32, .shape = {.rank = 2, .dim = {-1, 2}}},
    {.name = "b", .dtype = RF_F32, .shape = {.rank = 2, .dim = {-1, -1}}}};
static const struct rf_io two_outputs[] = {
    {.name = "y", .dtype = RF_F32, .shape = {.rank = 2, .dim = {-1, 2}}},
    {.name = "z", .dtype = RF_F32, .shape = {.rank = 1, .dim = {-1}}}};
static char *const labels[] = {"cat", "a \"dog\""};

/* m: one input [-1,2,3], one output, labels. pair: two inputs, two outputs. */
static const struct rf_model_io m = {.name = "m",
                                     .version = "1",
                                     .inputs = one_input,
                                     .outputs = one_output,
                                     .n_inputs = 1,
                                     .n_outputs = 1,
                                     .labels = labels,
                                     .n_labels = 2};
static const struct rf_model_io pair = {.name = "pair",
                                        .version = "2",
                                        .inputs = two_inputs,
                                        .outputs = two_outputs,
                                        .n_inputs = 2,
                                        .n_outputs = 2};

static const struct rf_decode_options any_json = {.raw_dtype = RF_N_DTYPE, .max_bytes = 1 << 20};
static const struct rf_decode_options oip_json = {
    .raw_dtype = RF_N_DTYPE, .takes = RF_TAKES_OIP, .max_bytes = 1 << 20};

/* A shape, and an input or output of one: DIMS() is a scalar's. */
#define DIMS(...)                                                                                  \
    {                                                                                              \
        .rank = (int)(sizeof((int64_t[]){0, ##__VA_ARGS__}) / sizeof(int64_t)) - 1, .dim = {       \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define IO(label, type, ...)                                                                       \
    {                                                                                              \
        .name = (label), .dtype = (type), .shape = DIMS(__VA_ARGS__)                               \
    }

/* A model whose one input is `x`, and whose one output is of the same kind. */
static inline struct rf_model_io model_of(const struct rf_io *x)
{
    return (struct rf_model_io){
        .name = "m", .version = "1", .inputs = x, .outputs = x, .n_inputs = 1, .n_outputs = 1};
}

/* Decodes a copy of the body; it is JSON, so nothing is borrowed from it. */
static inline enum rf_status decode_json(struct rf_infer_request *r, const struct rf_model_io *io,
                                         const char *body, struct rf_error *err)
{
    char *const copy = exact_copy(body, strlen(body));
    *err = (struct rf_error)RF_ERROR_INIT;
    const enum rf_status rc =
        rf_infer_decode(r, RF_BODY_JSON, io, &any_json, copy, strlen(body), err);
    free(copy);
    return rc;
}

/* Decodes a copy of exactly these bytes; what in-place reading would borrow is not looked at. */
static inline enum rf_status decode_len(const struct rf_model_io *io,
                                        const struct rf_decode_options *o, const char *body,
                                        size_t len, struct rf_error *err)
{
    struct rf_infer_request r;
    char *const copy = exact_copy(body, len);
    *err = (struct rf_error)RF_ERROR_INIT;
    const enum rf_status rc = rf_infer_decode(&r, RF_BODY_JSON, io, o, copy, len, err);
    rf_infer_request_release(&r);
    free(copy);
    return rc;
}

#define OIP(shape, datatype, data)                                                                 \
    "{\"inputs\":[{\"name\":\"x\",\"shape\":" shape ",\"datatype\":\"" datatype                    \
    "\",\"data\":" data "}]}"

#define X1 "{\"name\":\"x\",\"shape\":[1,2,3],\"datatype\":\"FP32\",\"data\":[1,2,3,4,5,6]}"

#define INPUT_A "{\"name\":\"a\",\"shape\":[2,2],\"datatype\":\"FP32\",\"data\":[1,2,3,4]}"
#define INPUT_B "{\"name\":\"b\",\"shape\":[2,3],\"datatype\":\"INT8\",\"data\":[[1,2,3],[4,5,6]]}"

#endif
