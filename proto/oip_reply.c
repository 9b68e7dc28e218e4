/*
 * Replies in the Open Inference Protocol's form: JSON, and behind it what was asked for in binary.
 */
#include "proto/oip_reply.h"

#include <math.h>
#include <stdlib.h>

#include "proto/classify.h"
#include "proto/tensor_json.h"

/* Where the largest value of a request's one row of output 0 is, if that has labels; else -1. */
static ptrdiff_t find_label(const struct rf_model_io *io, const struct rf_infer_request *request,
                            const struct rf_tensor *outputs)
{
    const struct rf_tensor *const t = &outputs[0];
    const float *const v = t->data;
    size_t best = 0;
    bool wanted = false;
    for (size_t i = 0; i < request->n_outputs; i++)
        wanted |= request->outputs[i].index == 0;
    if (!wanted || !io->labels || request->rows != 1 || t->dtype != RF_F32 || t->shape.rank != 2 ||
        t->shape.dim[0] != 1 || t->shape.dim[1] != (int64_t)io->n_labels || io->n_labels == 0)
        return -1;
    for (size_t i = 0; i < io->n_labels; i++) {
        if (isnan(v[i]))
            return -1; /* there is no largest value */
        if (v[i] > v[best])
            best = i;
    }
    return (ptrdiff_t)best;
}

static void write_parameters(struct rf_buf *b, const struct rf_model_io *io,
                             const struct rf_infer_request *request,
                             const struct rf_tensor *outputs)
{
    const ptrdiff_t label = find_label(io, request, outputs);
    if (label < 0 && !request->report)
        return;
    rf_buf_text(b, ",\"parameters\":{");
    if (label >= 0) {
        rf_buf_text(b, "\"label\":");
        rf_buf_json_string(b, io->labels[label]);
        rf_buf_text(b, ",\"confidence\":");
        rf_buf_json_float(b, ((const float *)outputs[0].data)[label]);
    }
    if (request->report) {
        rf_buf_text(b, label >= 0 ? "," : "");
        rf_buf_text(b, request->report);
    }
    rf_buf_text(b, "}");
}

/* What follows the JSON of one output: its elements where they lie, or strings made for it. */
struct block {
    const void *data;
    size_t len;
    struct rf_buf strings;
};

static void start_output(struct rf_buf *b, const char *name, const char *datatype,
                         const struct rf_shape *shape)
{
    char dims[RF_DIMS_TEXT];
    rf_buf_text(b, "{\"name\":");
    rf_buf_json_string(b, name);
    rf_buf_text(b, ",\"datatype\":\"");
    rf_buf_text(b, datatype);
    rf_buf_text(b, "\",\"shape\":[");
    rf_buf_add(b, dims, rf_dims_print(dims, shape));
    rf_buf_text(b, "]");
}

static void end_in_block(struct rf_buf *b, const struct block *block)
{
    rf_buf_printf(b, ",\"parameters\":{\"binary_data_size\":%zu}}", block->len);
}

static void write_elements(struct rf_buf *b, const char *name, const struct rf_tensor *t,
                           bool binary, struct block *block)
{
    const size_t n = (size_t)rf_numel(&t->shape);
    start_output(b, name, rf_dtype_name(t->dtype), &t->shape);
    if (binary) {
        block->data = t->data;
        block->len = n * rf_dtype_size(t->dtype);
        end_in_block(b, block);
        return;
    }
    rf_buf_text(b, ",\"data\":");
    rf_json_array_write_flat(b, t->dtype, t->data, n);
    rf_buf_text(b, "}");
}

/* Labels are those of a row of output 0. */
static enum rf_status write_classes(struct rf_buf *b, const struct rf_model_io *io,
                                    const struct rf_wanted *wanted, const struct rf_tensor *t,
                                    struct block *block, struct rf_error *err)
{
    const bool labelled = wanted->index == 0 && t->shape.rank > 0 &&
                          t->shape.dim[t->shape.rank - 1] == (int64_t)io->n_labels &&
                          t->shape.rank <= 2;
    struct rf_classes c = {
        .values = t, .limit = wanted->classes, .labels = labelled ? io->labels : NULL};
    enum rf_status rc = rf_classes_measure(&c, err);
    if (rc != RF_OK)
        return rc;
    start_output(b, io->outputs[wanted->index].name, "BYTES", &c.shape);
    if (!wanted->binary) {
        rf_buf_text(b, ",\"data\":");
        rc = rf_classes_write(b, &c, false, err);
        rf_buf_text(b, "}");
        return rc;
    }
    rc = rf_classes_write(&block->strings, &c, true, err);
    if (b->status == RF_OK)
        b->status = block->strings.status;
    block->data = block->strings.data;
    block->len = block->strings.len;
    end_in_block(b, block);
    return rc;
}

static enum rf_status write_outputs(struct rf_buf *b, const struct rf_model_io *io,
                                    const struct rf_infer_request *request,
                                    const struct rf_tensor *outputs, struct block *blocks,
                                    struct rf_error *err)
{
    enum rf_status rc = RF_OK;
    rf_buf_text(b, ",\"outputs\":[");
    for (size_t i = 0; i < request->n_outputs && rc == RF_OK; i++) {
        const struct rf_wanted *const w = &request->outputs[i];
        rf_buf_text(b, i ? "," : "");
        rf_buf_init(&blocks[i].strings, b->limit);
        if (w->classes > 0)
            rc = write_classes(b, io, w, &outputs[w->index], &blocks[i], err);
        else
            write_elements(b, io->outputs[w->index].name, &outputs[w->index], w->binary,
                           &blocks[i]);
    }
    rf_buf_text(b, "]}");
    return rc;
}

enum rf_status rf_encode_oip(struct rf_buf *body, const struct rf_model_io *io,
                             const struct rf_infer_request *request,
                             const struct rf_tensor *outputs, size_t *json_len,
                             struct rf_error *err)
{
    const size_t start = body->len;
    struct block *const blocks = calloc(request->n_outputs + 1, sizeof *blocks);
    if (!blocks)
        return rf_fail_nomem(err, "the reply", request->n_outputs * sizeof *blocks);
    rf_buf_text(body, "{\"model_name\":");
    rf_buf_json_string(body, io->name);
    rf_buf_text(body, ",\"model_version\":");
    rf_buf_json_string(body, io->version);
    if (request->id) {
        rf_buf_text(body, ",\"id\":");
        rf_buf_json_string(body, request->id);
    }
    write_parameters(body, io, request, outputs);
    const enum rf_status rc = write_outputs(body, io, request, outputs, blocks, err);
    const size_t end = body->len;
    for (size_t i = 0; i < request->n_outputs; i++) {
        rf_buf_add(body, blocks[i].data, blocks[i].len);
        rf_buf_release(&blocks[i].strings);
    }
    free(blocks);
    *json_len = body->len > end ? end - start : 0;
    return rc;
}
