/* GET and POST /v1/models and below: as TensorFlow Serving and KServe's first protocol have it. */
#include <inttypes.h>

#include "server/handlers.h"
#include "server/server.h"

enum srv_next srv_handle_v1_predict(struct srv_server *server, struct srv_request *r)
{
    return srv_find_model(server, r) ? srv_infer_enqueue(r, RF_TAKES_INSTANCES) : SRV_REPLY;
}

/* KServe reads `ready`, TensorFlow Serving's clients the states. */
enum srv_next srv_handle_v1_model(struct srv_server *server, struct srv_request *r)
{
    struct rf_buf *b = &r->reply.body;
    const struct srv_model *m = srv_find_model(server, r);
    const bool ready = atomic_load(&server->ready);
    if (!m)
        return SRV_REPLY;
    rf_buf_json_member(b, "{", "name", m->name);
    rf_buf_printf(b,
                  ",\"ready\":%s,\"model_version_status\":[{\"version\":\"%s\",\"state\":\"%s\","
                  "\"status\":{\"error_code\":\"OK\",\"error_message\":\"\"}}]}",
                  ready ? "true" : "false", m->version, ready ? "AVAILABLE" : "UNLOADING");
    return srv_reply_json(r, ready ? 200 : 503);
}

/* TensorFlow's names. */
static const char *const types[RF_N_DTYPE] = {
    [RF_BOOL] = "DT_BOOL",  [RF_U8] = "DT_UINT8", [RF_U16] = "DT_UINT16",    [RF_U32] = "DT_UINT32",
    [RF_U64] = "DT_UINT64", [RF_I8] = "DT_INT8",  [RF_I16] = "DT_INT16",     [RF_I32] = "DT_INT32",
    [RF_I64] = "DT_INT64",  [RF_F16] = "DT_HALF", [RF_BF16] = "DT_BFLOAT16", [RF_F32] = "DT_FLOAT",
    [RF_F64] = "DT_DOUBLE",
};

static void add_tensors(struct rf_buf *b, const char *key, const struct rf_io *list, size_t n)
{
    rf_buf_printf(b, "\"%s\":{", key);
    for (size_t i = 0; i < n; i++) {
        const struct rf_shape *const shape = &list[i].shape;
        rf_buf_text(b, i ? "," : "");
        rf_buf_json_string(b, list[i].name);
        rf_buf_printf(b, ":{\"dtype\":\"%s\",\"tensor_shape\":{\"dim\":[", types[list[i].dtype]);
        for (int d = 0; d < shape->rank; d++)
            rf_buf_printf(b, "%s{\"size\":\"%" PRId64 "\",\"name\":\"\"}", d ? "," : "",
                          shape->dim[d]);
        rf_buf_printf(b, "],\"unknown_rank\":%s},\"name\":", shape->rank < 0 ? "true" : "false");
        rf_buf_json_string(b, list[i].name);
        rf_buf_text(b, "}");
    }
    rf_buf_text(b, "},");
}

enum srv_next srv_handle_v1_metadata(struct srv_server *server, struct srv_request *r)
{
    struct rf_buf *b = &r->reply.body;
    const struct srv_model *m = srv_find_model(server, r);
    if (!m)
        return SRV_REPLY;
    rf_buf_text(b, "{\"model_spec\":{\"name\":");
    rf_buf_json_string(b, m->name);
    rf_buf_printf(b,
                  ",\"signature_name\":\"\",\"version\":\"%s\"},\"metadata\":{\"signature_def\":{"
                  "\"signature_def\":{\"serving_default\":{",
                  m->version);
    add_tensors(b, "inputs", m->io.inputs, m->io.n_inputs);
    add_tensors(b, "outputs", m->io.outputs, m->io.n_outputs);
    rf_buf_text(b, "\"method_name\":\"tensorflow/serving/predict\"}}}}}");
    return srv_reply_json(r, 200);
}
