/*
 * One inference request and its reply, in every body form:
 *   JSON   an Open Inference Protocol object {"inputs": [...]}, {"instances": [...]}, a bare array;
 *          behind the protocol's object binary tensors may follow
 *   raw    little-endian elements of the model's one input
 *   npy    a NumPy file for the model's one input
 * Inputs come out in the model's dtypes; what a client sends may be of any dtype that rf_converts.
 *
 * Decoding checks everything against the model's inputs, so that what comes out can be run. Errors
 * are for the client: RF_FORMAT, RF_SHAPE, RF_INVALID, RF_UNSUPPORTED (-> 400), RF_LIMIT (-> 413),
 * RF_NOMEM (-> 503).
 */
#ifndef RF_PROTO_INFER_H
#define RF_PROTO_INFER_H

#include "core/rectifier.h"
#include "proto/buf.h"

enum rf_body { RF_BODY_JSON, RF_BODY_RAW, RF_BODY_NPY };

/* What decoding and encoding need to know of the model; all borrowed. */
struct rf_model_io {
    const char *name, *version;
    const struct rf_io *inputs, *outputs;
    size_t n_inputs, n_outputs;
    char *const *labels; /* or NULL */
    size_t n_labels;
};

enum rf_json_form { RF_FORM_OIP, RF_FORM_ARRAY, RF_FORM_INSTANCES };

/* An output of the reply. `binary` and `classes` are for replies in the protocol's form. */
struct rf_wanted {
    size_t index;     /* among the model's outputs */
    bool binary;      /* its elements follow the JSON as bytes */
    uint64_t classes; /* > 0: the largest values of each row, at most so many, with their labels */
};

struct rf_infer_request {
    char *id;                 /* the request's "id", or NULL */
    enum rf_json_form form;   /* of a JSON body; RF_FORM_OIP for others. Instances are answered by
                                 predictions, all else in the protocol's form */
    struct rf_tensor *inputs; /* one for each model input, in its order: dense, in its dtype */
    void **storage; /* what the inputs' data must be freed with, or NULL: it is the body's */
    size_t n_inputs;
    int64_t rows;              /* dimension 0 of the first input that leaves it open, else 1 */
    struct rf_wanted *outputs; /* in the reply's order */
    size_t n_outputs;
    uint64_t timeout_us;                /* the client's patience with the queue; 0: not said */
    uint64_t priority;                  /* 1 goes first; 0: not said */
    bool wants_activity, wants_novelty; /* in the reply's parameters */
    const char *report; /* members for those, as JSON, borrowed from who encodes; or NULL */
};

/* Any; the Open Inference Protocol's object; an object with "instances". */
enum rf_takes { RF_TAKES_ANY, RF_TAKES_OIP, RF_TAKES_INSTANCES };

struct rf_decode_options {
    enum rf_dtype raw_dtype; /* of a raw body's elements; RF_N_DTYPE: the input's */
    const char *what;        /* starts messages about JSON; NULL: "request body" */
    enum rf_takes takes;     /* which forms of JSON */
    bool has_json_len;       /* binary tensors may follow the JSON, which is */
    uint64_t json_len;       /* so long; 0: there is none, only one raw tensor */
    size_t max_bytes;        /* that decoded inputs may take in all */
};

/* `body` must outlive the request (aligned elements of the input's dtype are read in place). On
 * failure there is nothing to release. */
enum rf_status rf_infer_decode(struct rf_infer_request *out, enum rf_body form,
                               const struct rf_model_io *io,
                               const struct rf_decode_options *options, const void *body,
                               size_t len, struct rf_error *err) RF_CHECKED;
void rf_infer_request_release(struct rf_infer_request *request);

/*
 * Appends the reply's body. `outputs` are the model's outputs, all of them, dense. Raw and npy
 * carry the first output wanted. With labels and one row, "parameters" hold the label of the
 * largest value of output 0, and that value as "confidence"; and request->report. `*json_len` (may
 * be NULL): the bytes of JSON in front of binary tensors, 0 when there are none. RF_LIMIT or
 * RF_NOMEM from the buffer; RF_SHAPE when the outputs do not suit what is wanted.
 */
enum rf_status rf_infer_encode(struct rf_buf *body, enum rf_body form, const struct rf_model_io *io,
                               const struct rf_infer_request *request,
                               const struct rf_tensor *outputs, size_t *json_len,
                               struct rf_error *err) RF_CHECKED;

#endif
