/*
 * ONNX files: reader, operators' checks, passes, plan, and where that is little work a run, on
 * inputs made of the file's own bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "core/rectifier.h"
#include "proto/onnx.h"
#include "tests/fuzz/fuzz.h"

enum { MOST_INPUTS = 4, MOST_OUTPUTS = 32, MOST_MACS = 1 << 20, MOST_BYTES = 1 << 20 };

static void add_macs(void *arg, const struct rf_step_info *info)
{
    int64_t *const macs = arg;
    *macs = info->macs > MOST_MACS ? MOST_MACS + 1 : *macs + info->macs;
}

static bool is_little(struct rf_model *model, const struct rf_shape *shapes, size_t n)
{
    struct rf_error err = RF_ERROR_INIT;
    int64_t macs = 0;
    size_t bytes;
    return rf_model_inspect(model, shapes, n, add_macs, &macs, &bytes, &err) == RF_OK &&
           macs <= MOST_MACS && bytes <= MOST_BYTES;
}

/* Exactly as many bytes as the input has, so that a sanitizer sees one too far. */
static void *make_input(const struct rf_io *io, const uint8_t *data, size_t size)
{
    const size_t n = (size_t)rf_numel(&io->nominal) * rf_dtype_size(io->dtype);
    uint8_t *const bytes = malloc(n + 1);
    for (size_t i = 0; bytes && i < n; i++)
        bytes[i] = io->dtype == RF_BOOL ? data[i % size] & 1 : data[i % size];
    return bytes;
}

static void run(struct rf_model *model, const struct rf_shape *shapes, const void *const *in,
                size_t n)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_tensor out[MOST_OUTPUTS];
    struct rf_session *session;
    if (rf_session_new(&session, model, NULL, &err) != RF_OK)
        return;
    if (rf_session_prepare(session, shapes, in, n, &err) == RF_OK &&
        rf_session_run(session, in, n, out, rf_model_n_outputs(model), true, &err) != RF_OK)
        err = (struct rf_error)RF_ERROR_INIT;
    rf_session_free(session);
}

static void try_run(struct rf_model *model, const uint8_t *data, size_t size)
{
    const size_t n = rf_model_n_inputs(model);
    struct rf_shape shapes[MOST_INPUTS];
    void *in[MOST_INPUTS];
    if (n > MOST_INPUTS || rf_model_n_outputs(model) > MOST_OUTPUTS)
        return;
    for (size_t i = 0; i < n; i++)
        shapes[i] = rf_model_input(model, i)->nominal;
    if (!is_little(model, shapes, n))
        return;
    for (size_t i = 0; i < n; i++)
        in[i] = make_input(rf_model_input(model, i), data, size);
    run(model, shapes, (const void *const *)in, n);
    for (size_t i = 0; i < n; i++)
        free(in[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rf_model_options options = {.activity = RF_ACTIVITY_CHANNEL,
                                                    .max_session_bytes = (size_t)64 << 20};
    struct rf_onnx_file file = {.source = "fuzz.onnx", .bytes = malloc(size + 1), .len = size};
    struct rf_error err = RF_ERROR_INIT;
    struct rf_graph *graph;
    struct rf_model *model;
    if (!file.bytes)
        return 0;
    if (size)
        memcpy(file.bytes, data, size);
    if (rf_onnx_read(&graph, &file, &err) == RF_OK &&
        rf_model_new(&model, graph, &options, &err) == RF_OK) {
        try_run(model, data, size);
        rf_model_unref(model);
    }
    return 0;
}
