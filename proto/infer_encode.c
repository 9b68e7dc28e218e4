/*
 * Replies, in each body form.
 */
#include "proto/infer.h"

#include "proto/npy.h"
#include "proto/oip_reply.h"
#include "proto/tensor_json.h"

static void write_row(struct rf_buf *b, const struct rf_tensor *t, int64_t row)
{
    const struct rf_shape shape = rf_shape_row(&t->shape);
    const size_t bytes = rf_shape_bytes(&shape, t->dtype);
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
    enum rf_status rc = RF_OK;
    if (request->form == RF_FORM_INSTANCES)
        rc = check_rows(io, request, outputs, err);
    if (rc != RF_OK)
        return rc;
    const struct rf_tensor *const first = &outputs[request->outputs[0].index];
    if (form == RF_BODY_RAW)
        rf_buf_add(body, first->data, rf_shape_bytes(&first->shape, first->dtype));
    else if (form == RF_BODY_NPY)
        rf_npy_write(body, first->dtype, &first->shape, first->data);
    else if (request->form == RF_FORM_INSTANCES)
        write_predictions(body, io, request, outputs);
    else
        rc = rf_encode_oip(body, io, request, outputs, &split, err);
    if (rc != RF_OK)
        return rc;
    if (json_len)
        *json_len = split;
    if (body->status == RF_OK)
        return RF_OK;
    return body->status == RF_NOMEM
               ? rf_fail_nomem(err, "the reply", body->len)
               : rf_fail(err, RF_LIMIT, "the reply is over the limit of %zu bytes", body->limit);
}
