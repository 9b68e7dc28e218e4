#include "server/prune.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/models.h"

/* Walks the steps of a plan. */
struct walk {
    const struct rf_layer_activity *layers;
    size_t n_layers;
    bool *stays;    /* of each layer: its channels cannot go */
    size_t *source; /* of each value: the layer whose channels it has */
    size_t n_sources;
    struct srv_products *products;
    bool no_memory;
};

static size_t source_of(const struct walk *w, int32_t id)
{
    return (size_t)id < w->n_sources ? w->source[id] : SRV_NO_LAYER;
}

static void set_source(struct walk *w, int32_t id, size_t layer)
{
    const size_t need = (size_t)id + 1;
    if (need > w->n_sources) {
        size_t *more = reallocarray(w->source, 2 * need, sizeof *more);
        if (!more) {
            w->no_memory = true;
            return;
        }
        for (size_t i = w->n_sources; i < 2 * need; i++)
            more[i] = SRV_NO_LAYER;
        w->source = more;
        w->n_sources = 2 * need;
    }
    w->source[id] = layer;
}

static size_t layer_of(const struct walk *w, const struct rf_step_info *s)
{
    for (size_t i = 0; i < w->n_layers; i++)
        if (strcmp(w->layers[i].name, s->name) == 0 && strcmp(w->layers[i].path, s->path) == 0)
            return i;
    return SRV_NO_LAYER;
}

static void keep(struct walk *w, size_t layer)
{
    if (layer != SRV_NO_LAYER)
        w->stays[layer] = true;
}

/* Of one operand; every weight belongs to a channel read and one written. */
static bool is_product(const struct rf_step_info *s)
{
    return s->macs > 0 && s->parameters > 0 && s->n_inputs == 1 && s->n_outputs == 1 &&
           strcmp(s->algorithm, "depthwise") != 0 && strcmp(s->algorithm, "grouped") != 0;
}

/* The output has the input's channels, in their order, and 0 where they are 0. */
static bool passes_on(const struct rf_step_info *s)
{
    static const char *const paths[] = {
        "MaxPool", "AveragePool",      "GlobalAveragePool",   "GlobalMaxPool",
        "Flatten", "rectifier.ToNHWC", "rectifier.ToRowMajor"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (strcmp(s->path, paths[i]) == 0)
            return s->n_inputs == 1 && s->n_outputs == 1;
    return false;
}

/* The channels that a step writes, of one input. */
static int64_t written(const struct walk *w, const struct rf_step_info *s, size_t layer)
{
    if (layer != SRV_NO_LAYER)
        return (int64_t)w->layers[layer].n_channels;
    if (s->output.rank < 2)
        return 1;
    return s->output.dim[strncmp(s->path, "Conv", 4) == 0 ? 1 : s->output.rank - 1];
}

static void add_product(struct walk *w, const struct rf_step_info *s, size_t reads, size_t writes)
{
    struct srv_products *p = w->products;
    struct srv_product *more = reallocarray(p->list, p->n + 1, sizeof *more);
    if (!more) {
        w->no_memory = true;
        return;
    }
    const int64_t channels = written(w, s, writes), elements = rf_numel(&s->output);
    const int64_t positions = channels > 0 && elements > channels ? elements / channels : 1;
    const int64_t weights =
        s->macs / positions < s->parameters ? s->macs / positions : s->parameters;
    p->list = more;
    p->list[p->n++] = (struct srv_product){.weights = weights,
                                           .others = s->parameters - weights,
                                           .macs = s->macs,
                                           .reads = reads,
                                           .writes = writes};
}

static void walk_step(void *arg, const struct rf_step_info *s)
{
    struct walk *w = arg;
    const size_t layer = layer_of(w, s);
    if (is_product(s)) {
        add_product(w, s, source_of(w, s->inputs[0].id), layer);
    } else if (passes_on(s) && layer == SRV_NO_LAYER) {
        set_source(w, s->outputs[0].id, source_of(w, s->inputs[0].id));
        return;
    } else {
        keep(w, layer);
        for (size_t i = 0; i < s->n_inputs; i++)
            keep(w, source_of(w, s->inputs[i].id));
    }
    for (size_t i = 0; i < s->n_outputs; i++) {
        set_source(w, s->outputs[i].id, layer);
        if (s->outputs[i].is_output)
            keep(w, layer);
    }
}

static enum rf_status walk_plan(struct walk *w, struct rf_model *model, struct rf_error *err)
{
    w->stays = calloc(w->n_layers + 1, sizeof *w->stays);
    if (!w->stays)
        return rf_fail_nomem(err, "a plan's products", w->n_layers * sizeof *w->stays);
    const enum rf_status rc = srv_model_steps(model, walk_step, w, err);
    return !rc && w->no_memory
               ? rf_fail_nomem(err, "a plan's products", w->n_sources * sizeof *w->source)
               : rc;
}

enum rf_status srv_products_find(struct srv_products *p, struct rf_model *model,
                                 const struct rf_layer_activity *layers, size_t n_layers,
                                 struct rf_error *err)
{
    struct walk w = {.layers = layers, .n_layers = n_layers, .products = p};
    *p = (struct srv_products){0};
    const enum rf_status rc = walk_plan(&w, model, err);
    for (size_t i = 0; !rc && i < p->n; i++) {
        struct srv_product *const one = &p->list[i];
        if (one->reads != SRV_NO_LAYER && w.stays[one->reads])
            one->reads = SRV_NO_LAYER;
        if (one->writes != SRV_NO_LAYER && w.stays[one->writes])
            one->writes = SRV_NO_LAYER;
    }
    if (rc)
        srv_products_release(p);
    free(w.stays);
    free(w.source);
    return rc;
}

void srv_products_release(struct srv_products *p)
{
    free(p->list);
    *p = (struct srv_products){0};
}

static void add_layer(struct rf_buf *b, const char *key, size_t layer)
{
    if (layer == SRV_NO_LAYER)
        rf_buf_printf(b, ",\"%s\":null", key);
    else
        rf_buf_printf(b, ",\"%s\":%zu", key, layer);
}

void srv_products_json(struct rf_buf *b, const struct srv_products *p)
{
    rf_buf_text(b, ",\"products\":[");
    for (size_t i = 0; i < p->n; i++) {
        const struct srv_product *one = &p->list[i];
        rf_buf_printf(b, "%s{\"weights\":%" PRId64 ",\"others\":%" PRId64 ",\"macs\":%" PRId64,
                      i ? "," : "", one->weights, one->others, one->macs);
        add_layer(b, "reads", one->reads);
        add_layer(b, "writes", one->writes);
        rf_buf_text(b, "}");
    }
    rf_buf_text(b, "]");
}

/* The share of a layer's channels that would be left. */
static double left(const struct rf_layer_activity *layers, const size_t *dead, size_t layer)
{
    if (layer == SRV_NO_LAYER)
        return 1;
    return 1 - (double)dead[layer] / (double)layers[layer].n_channels;
}

void srv_products_save(const struct srv_products *p, const struct rf_layer_activity *layers,
                       size_t n_layers, const size_t *dead, struct srv_saving *saving)
{
    *saving = (struct srv_saving){0};
    for (size_t i = 0; i < p->n; i++) {
        const struct srv_product *one = &p->list[i];
        if (one->writes < n_layers)
            saving->channels += dead[one->writes];
        const double out = left(layers, dead, one->writes), in = left(layers, dead, one->reads);
        const double gone = 1 - out * in;
        saving->macs += llround(gone * (double)one->macs);
        saving->parameters +=
            llround(gone * (double)one->weights + (1 - out) * (double)one->others);
        saving->all_macs += one->macs;
        saving->all_parameters += one->weights + one->others;
    }
}
