/* ONNX files, as far as a model that could run: reader, operators' checks, passes, plan. */
#include <stdlib.h>
#include <string.h>

#include "core/rectifier.h"
#include "proto/onnx.h"
#include "tests/fuzz/fuzz.h"

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
        rf_model_new(&model, graph, &options, &err) == RF_OK)
        rf_model_unref(model);
    return 0;
}
