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
    const struct rf_io *const io = &d->io->inputs[0];
    char text[RF_SHAPE_TEXT];
    *input = io;
    if (d->io->n_inputs != 1)
        return rf_fail(d->err, RF_INVALID,
                       "%s needs a model with one input; model '%s' has %zu: use \"inputs\"", form,
                       d->io->name, d->io->n_inputs);
    for (int i = 1; i < io->shape.rank; i++)
        if (io->shape.dim[i] < 0)
            return rf_fail(d->err, RF_INVALID,
                           "%s needs an input of fixed size; input '%s' has shape %s: use "
                           "\"inputs\"",
                           form, io->name, rf_shape_text(&io->shape, text, sizeof text));
    return RF_OK;
}

/* The dimensions behind the batch, and their product. */
static struct rf_shape sample_of(const struct rf_io *io, int64_t *product)
{
    struct rf_shape s = {.rank = io->shape.rank > 0 ? io->shape.rank - 1 : 0};
    memcpy(s.dim, io->shape.dim + 1, (size_t)s.rank * sizeof *s.dim);
    *product = rf_numel(&s);
    return s;
}

static struct rf_shape with_batch(int64_t n, const struct rf_shape *sample)
{
    struct rf_shape s = {.rank = sample->rank + 1};
    s.dim[0] = n;
    memcpy(s.dim + 1, sample->dim, (size_t)sample->rank * sizeof *s.dim);
    return s;
}

enum rf_status rf_decode_match(struct rf_decoder *d, const char *what, const struct rf_shape *got,
                               bool batches, struct rf_shape *shape)
{
    const struct rf_io *io;
    const enum rf_status rc = rf_decode_only_input(d, what, &io);
    int64_t product;
    if (rc != RF_OK)
        return rc;
    const struct rf_shape sample = sample_of(io, &product);
    const int64_t n = got->rank > 0 ? got->dim[0] : 0;
    const struct rf_shape full = with_batch(n, &sample);
    const bool empty = batches && got->rank == 1 && n == 0; /* "instances": [] */
    if (!batches && rf_shape_equal(got, &sample))
        *shape = with_batch(1, &sample);
    else if (empty || rf_shape_equal(got, &full))
        *shape = full;
    else if (!batches && got->rank == 1 && n == product)
        *shape = with_batch(1, &sample);
    else if (got->rank == 2 && got->dim[1] == product)
        *shape = full;
    else {
        char s[RF_SHAPE_TEXT], g[RF_SHAPE_TEXT];
        rf_shape_text(got, g, sizeof g);
        rf_shape_text(&sample, s, sizeof s);
        if (batches)
            return rf_fail(d->err, RF_SHAPE,
                           "%s of shape %s: input '%s' takes [n]+%s or [n,%" PRId64 "]", what, g,
                           io->name, s, product);
        return rf_fail(d->err, RF_SHAPE,
                       "%s of shape %s: input '%s' takes %s, [n]+%s, [%" PRId64 "] or [n,%" PRId64
                       "]",
                       what, g, io->name, s, s, product, product);
    }
    return RF_OK;
}

enum rf_status rf_decode_room(struct rf_decoder *d, size_t i, const struct rf_shape *shape,
                              float **data)
{
    int64_t n;
    size_t bytes, total;
    char text[RF_SHAPE_TEXT];
    if (!rf_shape_numel(shape, &n) || __builtin_mul_overflow((size_t)n, sizeof **data, &bytes) ||
        __builtin_add_overflow(d->bytes, bytes, &total) || total > d->options->max_bytes)
        return rf_fail(d->err, RF_LIMIT, "input '%s' of shape %s is over the limit of %zu bytes",
                       d->io->inputs[i].name, rf_shape_text(shape, text, sizeof text),
                       d->options->max_bytes);
    *data = malloc(bytes ? bytes : 1);
    if (!*data)
        return rf_fail_nomem(d->err, "an input", bytes);
    d->bytes = total;
    d->out->storage[i] = *data;
    d->out->inputs[i] =
        (struct rf_tensor){.data = *data, .dtype = RF_F32, .layout = RF_ROWMAJOR, .shape = *shape};
    return RF_OK;
}

enum rf_status rf_decode_all_outputs(struct rf_decoder *d)
{
    const size_t n = d->io->n_outputs;
    free(d->out->outputs);
    d->out->n_outputs = 0;
    d->out->outputs = calloc(n + 1, sizeof *d->out->outputs);
    if (!d->out->outputs)
        return rf_fail_nomem(d->err, "the list of outputs", n * sizeof *d->out->outputs);
    for (size_t i = 0; i < n; i++)
        d->out->outputs[i] = i;
    d->out->n_outputs = n;
    return RF_OK;
}

/* Lets the request's tensor 0 read the body where it lies. */
static void read_in_place(struct rf_decoder *d, const struct rf_shape *shape, const void *data)
{
    d->out->inputs[0] = (struct rf_tensor){
        .data = (void *)data, .dtype = RF_F32, .layout = RF_ROWMAJOR, .shape = *shape};
}

static bool is_aligned(const void *p)
{
    return (uintptr_t)p % _Alignof(float) == 0;
}

static enum rf_status decode_raw(struct rf_decoder *d, const void *body, size_t len)
{
    const struct rf_io *io;
    const enum rf_dtype dtype = d->options->raw_dtype;
    int64_t product;
    size_t sample_bytes;
    float *data = NULL;
    enum rf_status rc = rf_decode_only_input(d, "a raw body", &io);
    if (rc != RF_OK)
        return rc;
    const struct rf_shape sample = sample_of(io, &product);
    if (dtype == RF_BOOL)
        return rf_fail(d->err, RF_UNSUPPORTED,
                       "inference input '%s' data-type is 'BOOL', but model '%s' expects 'FP32'",
                       io->name, d->io->name);
    if (len == 0)
        return rf_fail(d->err, RF_FORMAT,
                       "the request's body is empty; one sample of '%s' has "
                       "%" PRId64 " elements of %s",
                       io->name, product, rf_dtype_name(dtype));
    if (product == 0 ||
        __builtin_mul_overflow((size_t)product, rf_dtype_size(dtype), &sample_bytes) ||
        len % sample_bytes != 0)
        return rf_fail(d->err, RF_SHAPE,
                       "raw body of %zu bytes is not a multiple of a sample of '%s': %" PRId64
                       " elements of %s, %zu bytes",
                       len, io->name, product, rf_dtype_name(dtype),
                       (size_t)product * rf_dtype_size(dtype));
    const struct rf_shape shape = with_batch((int64_t)(len / sample_bytes), &sample);
    if (dtype == RF_F32 && is_aligned(body)) {
        read_in_place(d, &shape, body);
        return RF_OK;
    }
    rc = rf_decode_room(d, 0, &shape, &data);
    if (rc != RF_OK)
        return rc;
    return rf_convert_f32(data, dtype, body, (size_t)rf_numel(&shape), "raw body", d->err);
}

static enum rf_status decode_npy(struct rf_decoder *d, const void *body, size_t len)
{
    struct rf_npy npy;
    struct rf_shape shape;
    float *data = NULL;
    enum rf_status rc = rf_npy_read(&npy, "npy body", body, len, d->err);
    if (rc == RF_OK)
        rc = rf_decode_match(d, "npy array", &npy.shape, false, &shape);
    if (rc != RF_OK)
        return rc;
    if (npy.dtype == RF_F32 && is_aligned(npy.data) && (!npy.fortran || npy.shape.rank < 2)) {
        read_in_place(d, &shape, npy.data);
        return RF_OK;
    }
    rc = rf_decode_room(d, 0, &shape, &data);
    return rc == RF_OK ? rf_npy_to_f32(&npy, data, "npy array", d->err) : rc;
}

/* Dimension 0 of all inputs, which must agree where the model leaves it open. */
static enum rf_status count_rows(struct rf_decoder *d)
{
    int64_t rows = -1;
    for (size_t i = 0; i < d->io->n_inputs; i++) {
        const struct rf_shape *const shape = &d->out->inputs[i].shape;
        if (shape->rank == 0 || d->io->inputs[i].shape.dim[0] >= 0)
            continue;
        if (rows >= 0 && shape->dim[0] != rows)
            return rf_fail(d->err, RF_SHAPE,
                           "input '%s' batch size does not match other inputs for '%s'",
                           d->io->inputs[i].name, d->io->name);
        rows = shape->dim[0];
    }
    d->out->rows = rows < 0 ? 1 : rows;
    return RF_OK;
}

static enum rf_status start(struct rf_decoder *d)
{
    const size_t n = d->io->n_inputs;
    for (size_t i = 0; i < n; i++)
        if (d->io->inputs[i].dtype != RF_F32)
            return rf_fail(d->err, RF_UNSUPPORTED, "input '%s' of model '%s' is %s, not FP32",
                           d->io->inputs[i].name, d->io->name,
                           rf_dtype_name(d->io->inputs[i].dtype));
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
    struct rf_decoder d = {.out = out, .io = io, .options = options, .err = err};
    *out = (struct rf_infer_request){.form = RF_FORM_OIP};
    enum rf_status rc = start(&d);
    if (rc == RF_OK) {
        rc = form == RF_BODY_RAW   ? decode_raw(&d, body, len)
             : form == RF_BODY_NPY ? decode_npy(&d, body, len)
                                   : rf_decode_json(&d, body, len);
    }
    if (rc == RF_OK)
        rc = count_rows(&d);
    if (rc == RF_OK && !out->outputs)
        rc = rf_decode_all_outputs(&d);
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
