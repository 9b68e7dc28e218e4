/*
 * Replies, in each body form.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "proto/infer.h"
#include "proto/npy.h"
#include "proto/tensor_json.h"

/* Label and confidence of a request's one row: the largest value of output 0. */
static void write_label(struct rf_buf *b, const struct rf_model_io *io,
                        const struct rf_infer_request *request, const struct rf_tensor *outputs)
{
    const struct rf_tensor *const t = &outputs[0];
    const float *const v = t->data;
    size_t best = 0;
    bool wanted = false;
    for (size_t i = 0; i < request->n_outputs; i++)
        wanted |= request->outputs[i].index == 0;
    if (!wanted || !io->labels || request->rows != 1 || t->dtype != RF_F32 || t->shape.rank != 2 ||
        t->shape.dim[0] != 1 || t->shape.dim[1] != (int64_t)io->n_labels || io->n_labels == 0)
        return;
    for (size_t i = 0; i < io->n_labels; i++) {
        if (isnan(v[i]))
            return; /* there is no largest value */
        if (v[i] > v[best])
            best = i;
    }
    rf_buf_text(b, ",\"parameters\":{\"label\":");
    rf_buf_json_string(b, io->labels[best]);
    rf_buf_text(b, ",\"confidence\":");
    rf_buf_json_float(b, v[best]);
    rf_buf_text(b, "}");
}

static size_t bytes_of(const struct rf_tensor *t)
{
    return (size_t)rf_numel(&t->shape) * rf_dtype_size(t->dtype);
}

/* What the JSON says of an output: its elements, or how many bytes of them follow. */
static void write_output(struct rf_buf *b, const char *name, const struct rf_tensor *t, bool binary)
{
    rf_buf_text(b, "{\"name\":");
    rf_buf_json_string(b, name);
    rf_buf_printf(b, ",\"datatype\":\"%s\",\"shape\":[", rf_dtype_name(t->dtype));
    for (int d = 0; d < t->shape.rank; d++)
        rf_buf_printf(b, "%s%" PRId64, d ? "," : "", t->shape.dim[d]);
    rf_buf_text(b, "]");
    if (binary) {
        rf_buf_printf(b, ",\"parameters\":{\"binary_data_size\":%zu}}", bytes_of(t));
        return;
    }
    rf_buf_text(b, ",\"data\":");
    rf_json_array_write_flat(b, t->dtype, t->data, (size_t)rf_numel(&t->shape));
    rf_buf_text(b, "}");
}

/* Returns the bytes of JSON, or 0 when nothing follows them. */
static size_t write_oip(struct rf_buf *b, const struct rf_model_io *io,
                        const struct rf_infer_request *request, const struct rf_tensor *outputs)
{
    const size_t start = b->len;
    rf_buf_text(b, "{\"model_name\":");
    rf_buf_json_string(b, io->name);
    rf_buf_text(b, ",\"model_version\":");
    rf_buf_json_string(b, io->version);
    if (request->id) {
        rf_buf_text(b, ",\"id\":");
        rf_buf_json_string(b, request->id);
    }
    write_label(b, io, request, outputs);
    rf_buf_text(b, ",\"outputs\":[");
    for (size_t i = 0; i < request->n_outputs; i++) {
        const struct rf_wanted *const w = &request->outputs[i];
        rf_buf_text(b, i ? "," : "");
        write_output(b, io->outputs[w->index].name, &outputs[w->index], w->binary);
    }
    rf_buf_text(b, "]}");
    const size_t end = b->len;
    for (size_t i = 0; i < request->n_outputs; i++) {
        const struct rf_tensor *const t = &outputs[request->outputs[i].index];
        if (request->outputs[i].binary)
            rf_buf_add(b, t->data, bytes_of(t));
    }
    return b->len > end ? end - start : 0;
}

static void write_row(struct rf_buf *b, const struct rf_tensor *t, int64_t row)
{
    struct rf_shape shape = {.rank = t->shape.rank - 1};
    memcpy(shape.dim, t->shape.dim + 1, (size_t)shape.rank * sizeof *shape.dim);
    const size_t bytes = (size_t)rf_numel(&shape) * rf_dtype_size(t->dtype);
    rf_json_array_write(b, t->dtype, (const char *)t->data + (size_t)row * bytes, &shape);
}

/* A prediction a row: the output itself, or an object when there are several. */
static void write_predictions(struct rf_buf *b, const struct rf_model_io *io,
                              const struct rf_infer_request *request,
                              const struct rf_tensor *outputs)
{
    const bool several = request->n_outputs > 1;
    rf_buf_text(b, "{\"predictions\":[");
    for (int64_t row = 0; row < request->rows && b->status == RF_OK; row++) {
        rf_buf_text(b, row ? "," : "");
        for (size_t i = 0; i < request->n_outputs; i++) {
            const size_t o = request->outputs[i].index;
            if (several) {
                rf_buf_text(b, i ? "," : "{");
                rf_buf_json_string(b, io->outputs[o].name);
                rf_buf_text(b, ":");
            }
            write_row(b, &outputs[o], row);
        }
        rf_buf_text(b, several ? "}" : "");
    }
    rf_buf_text(b, "]}");
}

/* Instances are answered row by row. */
static enum rf_status check_rows(const struct rf_model_io *io,
                                 const struct rf_infer_request *request,
                                 const struct rf_tensor *outputs, struct rf_error *err)
{
    for (size_t i = 0; i < request->n_outputs; i++) {
        const struct rf_shape *const shape = &outputs[request->outputs[i].index].shape;
        if (shape->rank == 0 || shape->dim[0] != request->rows)
            return rf_fail(err, RF_SHAPE,
                           "output '%s' has no row for each instance: use \"inputs\"",
                           io->outputs[request->outputs[i].index].name);
    }
    return RF_OK;
}

enum rf_status rf_infer_encode(struct rf_buf *body, enum rf_body form, const struct rf_model_io *io,
                               const struct rf_infer_request *request,
                               const struct rf_tensor *outputs, size_t *json_len,
                               struct rf_error *err)
{
    size_t split = 0;
    if (request->form == RF_FORM_INSTANCES) {
        const enum rf_status rc = check_rows(io, request, outputs, err);
        if (rc != RF_OK)
            return rc;
    }
    const struct rf_tensor *const first = &outputs[request->outputs[0].index];
    if (form == RF_BODY_RAW)
        rf_buf_add(body, first->data, bytes_of(first));
    else if (form == RF_BODY_NPY)
        rf_npy_write(body, first->dtype, &first->shape, first->data);
    else if (request->form == RF_FORM_INSTANCES)
        write_predictions(body, io, request, outputs);
    else
        split = write_oip(body, io, request, outputs);
    if (json_len)
        *json_len = split;
    if (body->status == RF_OK)
        return RF_OK;
    return body->status == RF_NOMEM
               ? rf_fail_nomem(err, "the reply", body->len)
               : rf_fail(err, RF_LIMIT, "the reply is over the limit of %zu bytes", body->limit);
}
