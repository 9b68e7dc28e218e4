/* GET /v2/models/{model}/graph: the network as it runs. */
#include <inttypes.h>

#include "server/handlers.h"
#include "server/server.h"

struct writing {
    struct rf_buf *b;
    size_t n; /* steps so far */
};

static void add_ids(struct rf_buf *b, const char *key, const struct rf_step_value *list, size_t n)
{
    rf_buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++)
        rf_buf_printf(b, "%s%" PRId32, i ? "," : "", list[i].id);
    rf_buf_text(b, "]");
}

static void add_io(struct rf_buf *b, const char *key, const struct rf_io *list, size_t n)
{
    rf_buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++)
        rf_buf_printf(b, "%s%" PRId32, i ? "," : "", list[i].id);
    rf_buf_text(b, "]");
}

static void add_step(void *arg, const struct rf_step_info *s)
{
    struct writing *w = arg;
    char shape[RF_SHAPE_TEXT];
    rf_buf_json_member(w->b, w->n++ ? ",{" : "{", "name", s->name);
    rf_buf_json_member(w->b, ",", "path", s->path);
    add_ids(w->b, "inputs", s->inputs, s->n_inputs);
    add_ids(w->b, "outputs", s->outputs, s->n_outputs);
    rf_buf_printf(w->b, ",\"shape\":%s,\"parameters\":%" PRId64 ",\"macs\":%" PRId64 "}",
                  rf_shape_text(&s->output, shape, sizeof shape), s->parameters, s->macs);
}

enum srv_next srv_handle_graph(struct srv_server *server, struct srv_request *r)
{
    struct rf_buf *b = &r->reply.body;
    struct writing w = {.b = b};
    struct rf_error err = RF_ERROR_INIT;
    const struct srv_model *m = srv_find_model(server, r);
    if (!m)
        return SRV_REPLY;
    rf_buf_json_member(b, "{", "model", m->name);
    rf_buf_printf(b, ",\"version\":\"%s\",\"format\":\"%s\"", m->version, m->network.format);
    add_io(b, "inputs", m->io_inputs, m->io.n_inputs);
    add_io(b, "outputs", m->io_outputs, m->io.n_outputs);
    rf_buf_text(b, ",\"steps\":[");
    if (srv_model_steps(m->model, add_step, &w, &err)) {
        srv_reply_failure(r, &err);
        return SRV_REPLY;
    }
    rf_buf_text(b, "]}");
    return srv_reply_json(r, 200);
}
