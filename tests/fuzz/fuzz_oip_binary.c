/* Requests of the binary extension: two bytes that say how long the JSON is, then the body. What
 * can be decoded is answered, so that replies are made in every form that a request can ask for. */
#include "proto/infer.h"
#include "tests/fuzz/fuzz.h"

static const struct rf_io inputs[] = {
    {.name = "x", .dtype = RF_F32, .shape = {.rank = 2, .dim = {-1, 2}}},
    {.name = "i", .dtype = RF_I16, .shape = {.rank = 1, .dim = {2}}},
    {.name = "b", .dtype = RF_BOOL, .shape = {.rank = 2, .dim = {-1, -1}}}};
static const struct rf_io outputs[] = {
    {.name = "y", .dtype = RF_F32, .shape = {.rank = 2, .dim = {-1, 3}}},
    {.name = "z", .dtype = RF_I64, .shape = {.rank = 1, .dim = {2}}}};

static void answer(const struct rf_model_io *io, const struct rf_infer_request *request)
{
    static float y[6] = {0.5f, 0.25f, 0.25f, 1, 0, -1};
    static int64_t z[2] = {-1, INT64_MAX};
    const struct rf_tensor values[] = {
        {.data = y, .dtype = RF_F32, .shape = {.rank = 2, .dim = {2, 3}}},
        {.data = z, .dtype = RF_I64, .shape = {.rank = 1, .dim = {2}}}};
    struct rf_error err = RF_ERROR_INIT;
    struct rf_buf reply;
    size_t json_len;
    rf_buf_init(&reply, 1 << 16);
    if (rf_infer_encode(&reply, RF_BODY_JSON, io, request, values, &json_len, &err) == RF_OK &&
        json_len > reply.len)
        __builtin_trap();
    rf_buf_release(&reply);
}

static void decode(size_t n_inputs, size_t json_len, const uint8_t *body, size_t size)
{
    static char dog[] = "dog", cat[] = "cat", bird[] = "bird";
    static char *const labels[] = {dog, cat, bird};
    const struct rf_decode_options options = {.raw_dtype = RF_N_DTYPE,
                                              .takes = RF_TAKES_OIP,
                                              .has_json_len = true,
                                              .json_len = json_len,
                                              .max_bytes = 1 << 20};
    const struct rf_model_io io = {.name = "m",
                                   .version = "1",
                                   .inputs = inputs,
                                   .outputs = outputs,
                                   .n_inputs = n_inputs,
                                   .n_outputs = 2,
                                   .labels = labels,
                                   .n_labels = 3};
    struct rf_error err = RF_ERROR_INIT;
    struct rf_infer_request request;
    if (rf_infer_decode(&request, RF_BODY_JSON, &io, &options, body, size, &err) != RF_OK)
        return;
    answer(&io, &request);
    rf_infer_request_release(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const size_t json_len = (size_t)data[0] | (size_t)data[1] << 8;
    decode(1, json_len, data + 2, size - 2);
    decode(3, json_len, data + 2, size - 2);
    return 0;
}
