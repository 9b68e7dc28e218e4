/* Requests in JSON for a model of two inputs, and for one of a single input. */
#include "proto/infer.h"
#include "tests/fuzz/fuzz.h"

static void decode(const struct rf_io *inputs, size_t n, const uint8_t *data, size_t size)
{
    static const struct rf_io output = {
        .name = "y", .dtype = RF_F32, .shape = {.rank = 2, .dim = {-1, 2}}};
    static const struct rf_decode_options options = {.raw_dtype = RF_F32, .max_bytes = 1 << 20};
    const struct rf_model_io io = {.name = "m",
                                   .version = "1",
                                   .inputs = inputs,
                                   .outputs = &output,
                                   .n_inputs = n,
                                   .n_outputs = 1};
    struct rf_error err = RF_ERROR_INIT;
    struct rf_infer_request request;
    if (rf_infer_decode(&request, RF_BODY_JSON, &io, &options, data, size, &err) == RF_OK)
        rf_infer_request_release(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rf_io inputs[] = {
        {.name = "x", .dtype = RF_F32, .shape = {.rank = 2, .dim = {-1, 2}}},
        {.name = "z", .dtype = RF_F32, .shape = {.rank = 3, .dim = {-1, 2, 2}}}};
    decode(inputs, 1, data, size);
    decode(inputs, 2, data, size);
    return 0;
}
