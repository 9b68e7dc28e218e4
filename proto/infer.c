#include "proto/infer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/convert.h"
#include "proto/infer_decode.h"
#include "proto/npy.h"
#include "proto/text.h"

enum rf_status rf_decode_only_input(struct rf_decoder *d, const char *form,
                                    const struct rf_io **input)
{
    *input = &d->io->inputs[0];
    if (d->io->n_inputs == 1)
        return RF_OK;
    return rf_fail(d->err, RF_INVALID,
                   "%s needs a model with one input; model '%s' has %zu: use \"inputs\"", form,
                   d->io->name, d->io->n_inputs);
}

bool rf_decode_takes(const struct rf_io *input, enum rf_dtype dtype)
{
    return rf_converts(input->dtype, dtype) && (dtype != RF_BOOL || input->dtype == RF_BOOL);
}

enum rf_status rf_decode_wrong_type(struct rf_decoder *d, const struct rf_io *input,
                                    const char *datatype)
{
    char shown[RF_EXCERPT];
    return rf_fail(d->err, RF_UNSUPPORTED,
                   "inference input '%s' data-type is '%s', but model '%s' expects '%s'",
                   input->name, rf_excerpt(shown, datatype, strlen(datatype)), d->io->name,
                   rf_dtype_name(input->dtype));
}

enum rf_status rf_decode_room(struct rf_decoder *d, size_t i, const struct rf_shape *shape,
                              void **data)
{
    const struct rf_io *const io = &d->io->inputs[i];
    int64_t n;
    size_t bytes, total;
    char text[RF_SHAPE_TEXT];
    if (!rf_shape_numel(shape, &n) ||
        __builtin_mul_overflow((size_t)n, rf_dtype_size(io->dtype), &bytes) ||
        __builtin_add_overflow(d->bytes, bytes, &total) || total > d->options->max_bytes)
        return rf_fail(d->err, RF_LIMIT, "input '%s' of shape %s is over the limit of %zu bytes",
                       io->name, rf_shape_text(shape, text, sizeof text), d->options->max_bytes);
    *data = malloc(bytes ? bytes : 1);
    if (!*data)
        return rf_fail_nomem(d->err, "an input", bytes);
    d->bytes = total;
    d->out->storage[i] = *data;
    d->out->inputs[i] = (struct rf_tensor){
        .data = *data, .dtype = io->dtype, .layout = RF_ROWMAJOR, .shape = *shape};
    return RF_OK;
}

enum rf_status rf_decode_all_outputs(struct rf_decoder *d, bool binary)
{
    const size_t n = d->io->n_outputs;
    free(d->out->outputs);
    d->out->n_outputs = 0;
    d->out->outputs = calloc(n + 1, sizeof *d->out->outputs);
    if (!d->out->outputs)
        return rf_fail_nomem(d->err, "the list of outputs", n * sizeof *d->out->outputs);
    for (size_t i = 0; i < n; i++)
        d->out->outputs[i] = (struct rf_wanted){.index = i, .binary = binary};
    d->out->n_outputs = n;
    return RF_OK;
}

/* Whether the elements can be read where they lie; a BOOL may be any byte there. */
static bool in_place(const struct rf_io *io, enum rf_dtype dtype, const void *data)
{
    return dtype == io->dtype && dtype != RF_BOOL && (uintptr_t)data % rf_dtype_size(dtype) == 0;
}

static void read_in_place(struct rf_decoder *d, size_t i, const struct rf_shape *shape,
                          const void *data)
{
    d->out->inputs[i] = (struct rf_tensor){.data = (void *)data,
                                           .dtype = d->io->inputs[i].dtype,
                                           .layout = RF_ROWMAJOR,
                                           .shape = *shape};
}

enum rf_status rf_decode_elements(struct rf_decoder *d, size_t i, const struct rf_shape *shape,
                                  enum rf_dtype dtype, const void *bytes, const char *what)
{
    const struct rf_io *const io = &d->io->inputs[i];
    void *data = NULL;
    if (in_place(io, dtype, bytes)) {
        read_in_place(d, i, shape, bytes);
        return RF_OK;
    }
    const enum rf_status rc = rf_decode_room(d, i, shape, &data);
    if (rc != RF_OK)
        return rc;
    return rf_convert(data, io->dtype, dtype, bytes, (size_t)rf_numel(shape), what, d->err);
}

/* The shape of `len` bytes: as declared, with as many rows as there are if their number is open. */
static enum rf_status raw_shape(struct rf_decoder *d, const struct rf_io *io, enum rf_dtype dtype,
                                size_t len, struct rf_shape *shape)
{
    const char *const type = rf_dtype_name(dtype);
    const bool batches = io->shape.rank > 0 && io->shape.dim[0] < 0;
    char text[RF_SHAPE_TEXT];
    int64_t n;
    size_t bytes;
    *shape = io->shape;
    if (batches)
        shape->dim[0] = 1;
    if (!rf_shape_numel(shape, &n) ||
        __builtin_mul_overflow((size_t)n, rf_dtype_size(dtype), &bytes))
        return rf_fail(d->err, RF_INVALID,
                       "a raw body needs an input of fixed size; input '%s' has shape %s: use npy "
                       "or \"inputs\"",
                       io->name, rf_shape_text(&io->shape, text, sizeof text));
    if (len == 0)
        return rf_fail(d->err, RF_FORMAT,
                       "the request's body is empty; one sample of '%s' has %" PRId64
                       " elements of %s",
                       io->name, n, type);
    if (!batches && len != bytes)
        return rf_fail(d->err, RF_SHAPE,
                       "raw body of %zu bytes: input '%s' of shape %s takes %" PRId64
                       " elements of %s, %zu bytes",
                       len, io->name, rf_shape_text(&io->shape, text, sizeof text), n, type, bytes);
    if (batches && (n == 0 || len % bytes != 0))
        return rf_fail(d->err, RF_SHAPE,
                       "raw body of %zu bytes is not a multiple of a sample of '%s': %" PRId64
                       " elements of %s, %zu bytes",
                       len, io->name, n, type, bytes);
    if (batches)
        shape->dim[0] = (int64_t)(len / bytes);
    return RF_OK;
}

static enum rf_status decode_raw(struct rf_decoder *d, const void *body, size_t len)
{
    const struct rf_io *io;
    struct rf_shape shape;
    enum rf_status rc = rf_decode_only_input(d, "a raw body", &io);
    if (rc != RF_OK)
        return rc;
    const enum rf_dtype asked = d->options->raw_dtype;
    const enum rf_dtype dtype = asked == RF_N_DTYPE ? io->dtype : asked;
    if (!rf_decode_takes(io, dtype))
        return rf_decode_wrong_type(d, io, rf_dtype_name(dtype));
    rc = raw_shape(d, io, dtype, len, &shape);
    return rc == RF_OK ? rf_decode_elements(d, 0, &shape, dtype, body, "raw body") : rc;
}

static enum rf_status decode_npy(struct rf_decoder *d, const void *body, size_t len)
{
    const struct rf_io *const io = &d->io->inputs[0];
    struct rf_npy npy;
    struct rf_shape shape;
    void *data = NULL;
    enum rf_status rc = rf_npy_read(&npy, "npy body", body, len, d->err);
    if (rc == RF_OK)
        rc = rf_decode_match(d, "npy array", &npy.shape, false, &shape);
    if (rc != RF_OK)
        return rc;
    if (!rf_converts(io->dtype, npy.dtype))
        return rf_decode_wrong_type(d, io, rf_dtype_name(npy.dtype));
    if (in_place(io, npy.dtype, npy.data) && (!npy.fortran || npy.shape.rank < 2)) {
        read_in_place(d, 0, &shape, npy.data);
        return RF_OK;
    }
    rc = rf_decode_room(d, 0, &shape, &data);
    return rc == RF_OK ? rf_npy_convert(&npy, data, io->dtype, "npy array", d->err) : rc;
}

/* Dimension 0 of the first input that leaves it open; the others may have another one. */
static void count_rows(struct rf_decoder *d)
{
    d->out->rows = 1;
    for (size_t i = 0; i < d->io->n_inputs; i++) {
        if (d->io->inputs[i].shape.rank > 0 && d->io->inputs[i].shape.dim[0] < 0) {
            d->out->rows = d->out->inputs[i].shape.dim[0];
            return;
        }
    }
}

/* The protocol's body that binary tensors may follow. */
static enum rf_status decode_split(struct rf_decoder *d, const char *body, size_t len)
{
    const uint64_t json_len = d->options->json_len;
    if (json_len > len)
        return rf_fail(d->err, RF_INVALID,
                       "inference header size should be in range (0, %zu), got: %" PRIu64, len,
                       json_len);
    if (json_len == 0) {
        const enum rf_status rc = decode_raw(d, body, len);
        return rc == RF_OK ? rf_decode_all_outputs(d, true) : rc;
    }
    d->tail = body + json_len;
    d->tail_len = len - (size_t)json_len;
    const enum rf_status rc = rf_decode_json(d, body, (size_t)json_len);
    if (rc != RF_OK || d->tail_len == 0)
        return rc;
    return rf_fail(d->err, RF_INVALID,
                   "unexpected additional input data for model '%s': %zu bytes are left behind the "
                   "last binary tensor",
                   d->io->name, d->tail_len);
}

static enum rf_status decode_body(struct rf_decoder *d, enum rf_body form, const void *body,
                                  size_t len)
{
    if (d->options->has_json_len)
        return decode_split(d, body, len);
    return form == RF_BODY_RAW   ? decode_raw(d, body, len)
           : form == RF_BODY_NPY ? decode_npy(d, body, len)
                                 : rf_decode_json(d, body, len);
}

static enum rf_status start(struct rf_decoder *d)
{
    const size_t n = d->io->n_inputs;
    d->out->inputs = calloc(n + 1, sizeof *d->out->inputs);
    d->out->storage = calloc(n + 1, sizeof *d->out->storage);
    if (!d->out->inputs || !d->out->storage)
        return rf_fail_nomem(d->err, "a request", n * sizeof *d->out->inputs);
    d->out->n_inputs = n;
    return RF_OK;
}

enum rf_status rf_infer_decode(struct rf_infer_request *out, enum rf_body form,
                               const struct rf_model_io *io,
                               const struct rf_decode_options *options, const void *body,
                               size_t len, struct rf_error *err)
{
    struct rf_decoder d = {.out = out,
                           .io = io,
                           .options = options,
                           .what = options->what ? options->what : "request body",
                           .err = err};
    *out = (struct rf_infer_request){.form = RF_FORM_OIP};
    enum rf_status rc = start(&d);
    if (rc == RF_OK)
        rc = decode_body(&d, form, body, len);
    if (rc == RF_OK)
        count_rows(&d);
    if (rc == RF_OK && !out->outputs)
        rc = rf_decode_all_outputs(&d, false);
    if (rc != RF_OK) {
        rf_infer_request_release(out);
        rf_error_clean(err);
    }
    return rc;
}

void rf_infer_request_release(struct rf_infer_request *request)
{
    for (size_t i = 0; i < request->n_inputs; i++)
        free(request->storage[i]);
    free(request->storage);
    free(request->inputs);
    free(request->outputs);
    free(request->id);
    *request = (struct rf_infer_request){.form = RF_FORM_OIP};
}
