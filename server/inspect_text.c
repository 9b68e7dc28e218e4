/* The plan of a network as a table and as JSON. */
#include <inttypes.h>
#include <string.h>

#include "server/inspect.h"
#include "server/units.h"

/* ---- table ---- */

/* The widths of the columns whose texts vary. */
struct widths {
    int name, path, shape;
};

static void widen(int *width, size_t n)
{
    if (n > (size_t)*width)
        *width = (int)n;
}

static struct widths measure(const struct srv_inspection *x)
{
    struct widths w = {.name = 5, .path = 4, .shape = 12};
    char text[RF_SHAPE_TEXT];
    for (size_t i = 0; i < x->n_steps; i++) {
        const struct rf_step_info *s = &x->steps[i];
        widen(&w.name, strlen(s->name));
        widen(&w.path, strlen(s->path));
        widen(&w.shape, strlen(rf_shape_text(&s->output, text, sizeof text)));
    }
    return w;
}

static void add_rule(struct rf_buf *b, const struct widths *w)
{
    const int width = w->name + w->path + w->shape + 2 * 6 + 12 + 14 + 12 + 9;
    for (int i = 0; i < width; i++)
        rf_buf_text(b, "-");
    rf_buf_text(b, "\n");
}

static void add_rows(struct rf_buf *b, const struct srv_inspection *x, const struct widths *w)
{
    char text[RF_SHAPE_TEXT];
    for (size_t i = 0; i < x->n_steps; i++) {
        const struct rf_step_info *s = &x->steps[i];
        rf_buf_printf(b, "%-*s  %-*s  %-*s  %12" PRId64 "  %14" PRId64 "  %12zu  %s\n", w->name,
                      s->name, w->path, s->path, w->shape,
                      rf_shape_text(&s->output, text, sizeof text), s->parameters, s->macs,
                      s->slab_offset, s->algorithm);
    }
}

static void add_bytes(struct rf_buf *b, size_t n, const char *text)
{
    char bytes[SRV_UNIT_TEXT];
    rf_buf_text(b, srv_bytes_text(n, bytes));
    rf_buf_text(b, text);
}

/* An output whose rank only a run tells is as in GET /v2/models/NAME. */
static const char *declared(const struct rf_io *io, char text[RF_SHAPE_TEXT])
{
    return io->shape.rank < 0 ? "[-1]" : rf_shape_text(&io->shape, text, RF_SHAPE_TEXT);
}

static void add_io(struct rf_buf *b, const struct srv_inspection *x)
{
    const struct rf_model_io *io = &x->model->io;
    char shape[RF_SHAPE_TEXT], taken[RF_SHAPE_TEXT];
    for (size_t i = 0; i < io->n_inputs; i++) {
        rf_buf_printf(b, "input %s: %s %s", io->inputs[i].name, rf_dtype_name(io->inputs[i].dtype),
                      declared(&io->inputs[i], shape));
        rf_shape_text(&x->shapes[i], taken, sizeof taken);
        if (strcmp(shape, taken) != 0)
            rf_buf_printf(b, ", here %s", taken);
        rf_buf_text(b, "\n");
    }
    for (size_t i = 0; i < io->n_outputs; i++)
        rf_buf_printf(b, "output %s: %s %s\n", io->outputs[i].name,
                      rf_dtype_name(io->outputs[i].dtype), declared(&io->outputs[i], shape));
}

void srv_inspection_table(struct rf_buf *b, const struct srv_inspection *x)
{
    const struct srv_model *m = x->model;
    const struct widths w = measure(x);
    rf_buf_printf(b, "%s, version %s (%s)\n", m->name, m->version, m->network.format);
    add_io(b, x);
    rf_buf_printf(b, "\n%-*s  %-*s  %-*s  %12s  %14s  %12s  %s\n", w.name, "layer", w.path, "path",
                  w.shape, "output shape", "parameters", "MACs", "slab offset", "algorithm");
    add_rule(b, &w);
    add_rows(b, x, &w);
    add_rule(b, &w);
    rf_buf_printf(b, "%-*s  %-*s  %-*s  %12" PRId64 "  %14" PRId64 "\n\n", w.name, "total", w.path,
                  "", w.shape, "", x->parameters, x->macs);
    add_bytes(b, x->model_bytes, " of memory for weights and tables, ");
    add_bytes(b, x->session_bytes, " more for each session.\n");
    add_bytes(b, x->activity_bytes, " for activity by unit, ");
    add_bytes(b, x->activity_session_bytes, " more for each thread of a session.\n");
    if (x->max_batch > 0)
        rf_buf_printf(b, "Served, at most %" PRId64 " rows in one run.\n", x->max_batch);
    rf_buf_printf(b, "ISA %s, GEMM %s (%s).\n", rf_engine_isa(), rf_engine_gemm(),
                  rf_engine_blas());
}

/* ---- JSON ---- */

static void add_names(struct rf_buf *b, const char *key, const struct rf_step_value *list, size_t n)
{
    rf_buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        rf_buf_text(b, i ? "," : "");
        rf_buf_json_string(b, list[i].name);
    }
    rf_buf_text(b, "]");
}

/* `taken`: the shapes of this report, or NULL. */
static void add_values(struct rf_buf *b, const char *key, const struct rf_io *list, size_t n,
                       const struct rf_shape *taken)
{
    char text[RF_SHAPE_TEXT];
    rf_buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        rf_buf_json_member(b, i ? ",{" : "{", "name", list[i].name);
        rf_buf_json_member(b, ",", "datatype", rf_dtype_name(list[i].dtype));
        rf_buf_printf(b, ",\"declared_shape\":%s", declared(&list[i], text));
        if (taken)
            rf_buf_printf(b, ",\"shape\":%s", rf_shape_text(&taken[i], text, sizeof text));
        rf_buf_text(b, "}");
    }
    rf_buf_text(b, "]");
}

static void add_layer(struct rf_buf *b, const char *separator, const struct rf_step_info *s)
{
    char text[RF_SHAPE_TEXT];
    rf_buf_json_member(b, separator, "name", s->name);
    rf_buf_json_member(b, ",", "path", s->path);
    add_names(b, "inputs", s->inputs, s->n_inputs);
    add_names(b, "outputs", s->outputs, s->n_outputs);
    rf_buf_printf(
        b,
        ",\"output_shape\":%s,\"parameters\":%" PRId64 ",\"macs\":%" PRId64 ",\"slab_offset\":%zu",
        rf_shape_text(&s->output, text, sizeof text), s->parameters, s->macs, s->slab_offset);
    rf_buf_json_member(b, ",", "algorithm", s->algorithm);
    rf_buf_text(b, "}");
}

void srv_inspection_json(struct rf_buf *b, const struct srv_inspection *x)
{
    const struct srv_model *m = x->model;
    rf_buf_json_member(b, "{", "model", m->name);
    rf_buf_json_member(b, ",", "version", m->version);
    rf_buf_json_member(b, ",", "format", m->network.format);
    rf_buf_json_member(b, ",", "sha256", m->network.sha256);
    add_values(b, "inputs", m->io.inputs, m->io.n_inputs, x->shapes);
    add_values(b, "outputs", m->io.outputs, m->io.n_outputs, NULL);
    rf_buf_text(b, ",\"layers\":[");
    for (size_t i = 0; i < x->n_steps; i++)
        add_layer(b, i ? ",{" : "{", &x->steps[i]);
    rf_buf_printf(b,
                  "],\"parameters\":%" PRId64 ",\"macs\":%" PRId64
                  ",\"model_bytes\":%zu,\"session_bytes\":%zu,\"activity_bytes\":%zu"
                  ",\"activity_session_bytes\":%zu,\"max_batch\":%" PRId64,
                  x->parameters, x->macs, x->model_bytes, x->session_bytes, x->activity_bytes,
                  x->activity_session_bytes, x->max_batch);
    rf_buf_json_member(b, ",", "isa", rf_engine_isa());
    rf_buf_json_member(b, ",", "gemm", rf_engine_gemm());
    rf_buf_json_member(b, ",", "blas", rf_engine_blas());
    rf_buf_text(b, "}\n");
}
