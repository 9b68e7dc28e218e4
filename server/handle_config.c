/* GET /v2/models/{model}/config: the protocol's model configuration extension. */
#include <inttypes.h>

#include "server/handlers.h"
#include "server/server.h"

/* Of a model that batches, dims begin behind the batch. An output whose rank only a request tells
 * is as the metadata have it. */
static void add_dims(struct rf_buf *b, const struct rf_shape *shape, bool batched)
{
    const char *separator = "";
    rf_buf_text(b, ",\"dims\":[");
    if (shape->rank < 0)
        rf_buf_text(b, "-1");
    for (int d = batched ? 1 : 0; d < shape->rank; d++, separator = ",")
        rf_buf_printf(b, "%s%" PRId64, separator, shape->dim[d]);
    rf_buf_text(b, "]");
}

static void add_list(struct rf_buf *b, const char *key, const struct rf_io *list, size_t n,
                     bool batched, const char *rest)
{
    rf_buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        rf_buf_json_member(b, i ? ",{" : "{", "name", list[i].name);
        rf_buf_printf(b, ",\"data_type\":\"TYPE_%s\"", rf_dtype_name(list[i].dtype));
        add_dims(b, &list[i].shape, batched);
        rf_buf_text(b, rest);
    }
    rf_buf_text(b, "]");
}

static void add_policy(struct rf_buf *b, const struct srv_policy *policy)
{
    rf_buf_text(b, ",\"version_policy\":{");
    if (policy->latest)
        rf_buf_printf(b, "\"latest\":{\"num_versions\":%" PRIu64 "}}", policy->latest);
    else if (policy->n == 0)
        rf_buf_text(b, "\"all\":{}}");
    for (size_t i = 0; i < policy->n; i++)
        rf_buf_printf(b, "%s%" PRIu64 "%s", i ? "," : "\"specific\":{\"versions\":[",
                      policy->versions[i], i + 1 < policy->n ? "" : "]}}");
}

enum srv_next srv_handle_config(struct srv_server *server, struct srv_request *r)
{
    struct rf_buf *b = &r->reply.body;
    const struct srv_model *m = srv_find_model(server, r);
    if (!m)
        return SRV_REPLY;
    const bool batched = m->max_batch > 0;
    rf_buf_json_member(b, "{", "name", m->name);
    rf_buf_text(b, ",\"platform\":\"rectifier\",\"backend\":\"rectifier\"");
    add_policy(b, &server->policy);
    rf_buf_printf(b, ",\"max_batch_size\":%" PRId64, m->max_batch);
    add_list(b, "input", m->io.inputs, m->io.n_inputs, batched, ",\"format\":\"FORMAT_NONE\"}");
    add_list(b, "output", m->io.outputs, m->io.n_outputs, batched, ",\"label_filename\":\"\"}");
    if (m->max_batch > 1)
        rf_buf_printf(b,
                      ",\"dynamic_batching\":{\"preferred_batch_size\":[],"
                      "\"max_queue_delay_microseconds\":%" PRIu64 "}",
                      server->config->max_delay / 1000);
    rf_buf_printf(b,
                  ",\"instance_group\":[{\"name\":\"%s\",\"kind\":\"KIND_CPU\",\"count\":%zu,"
                  "\"gpus\":[]}]}",
                  m->name, m->n_sessions);
    return srv_reply_json(r, 200);
}
