/* GET /v2/models/{model}/graph: the network as it runs. */
#include <inttypes.h>
#include <stdlib.h>

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

static void add_step(void *arg, const struct rf_step_info *s)
{
    struct writing *w = arg;
    char shape[RF_SHAPE_TEXT];
    rf_buf_text(w->b, w->n++ ? ",{\"name\":" : "{\"name\":");
    rf_buf_json_string(w->b, s->name);
    rf_buf_text(w->b, ",\"path\":");
    rf_buf_json_string(w->b, s->path);
    add_ids(w->b, "inputs", s->inputs, s->n_inputs);
    add_ids(w->b, "outputs", s->outputs, s->n_outputs);
    rf_buf_printf(w->b, ",\"shape\":%s,\"parameters\":%" PRId64 ",\"macs\":%" PRId64 "}",
                  rf_shape_text(&s->output, shape, sizeof shape), s->parameters, s->macs);
}

/* No steps where sizes follow from an input's elements. */
static enum rf_status add_steps(struct rf_buf *b, const struct srv_model *m, struct rf_error *err)
{
    struct writing w = {.b = b};
    size_t session_bytes;
    enum rf_status rc = RF_OK;
    struct rf_shape *shapes = calloc(m->io.n_inputs + 1, sizeof *shapes);
    if (!shapes)
        return rf_fail_nomem(err, "shapes", m->io.n_inputs * sizeof *shapes);
    if (srv_model_shapes(m->model, 1, shapes))
        rc = rf_model_inspect(m->model, shapes, m->io.n_inputs, add_step, &w, &session_bytes, err);
    free(shapes);
    return rc;
}

enum srv_next srv_handle_graph(struct srv_server *server, struct srv_request *r)
{
    struct rf_buf *b = &r->reply.body;
    struct rf_error err = RF_ERROR_INIT;
    const struct srv_model *m = srv_find_model(server, r);
    if (!m)
        return SRV_REPLY;
    rf_buf_text(b, "{\"model\":");
    rf_buf_json_string(b, m->name);
    rf_buf_printf(b, ",\"version\":\"%s\",\"format\":\"%s\",\"steps\":[", m->version,
                  m->network.format);
    if (add_steps(b, m, &err)) {
        srv_reply_failure(r, &err);
        return SRV_REPLY;
    }
    rf_buf_text(b, "]}");
    return srv_reply_json(r, 200);
}
