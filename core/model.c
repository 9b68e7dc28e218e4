/* Graph -> immutable model: passes, states, layouts, packed weights, activation layers. */
#include "core/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/passes/passes.h"

#define DEFAULT_SESSION_BYTES ((size_t)4 << 30)
#define NOMINAL_DIM 1 /* what a dimension of any size is while loading */

/* ---- parameters and kept values ----------------------------------------------------------------
 */

static void count_parameters(struct rf_model *model)
{
    const struct rf_graph *const g = model->graph;

    for (size_t i = 0; i < g->n_nodes; i++) {
        struct rf_node *const node = g->nodes[i];

        for (int k = 0; k < node->n_in; k++)
            if (node->op->param_in >> k & 1 && node->in[k] != RF_NO_VALUE &&
                g->values[node->in[k]].constant)
                node->parameters += rf_numel(&g->values[node->in[k]].shape);
        model->parameters += node->parameters;
    }
}

static enum rf_status keep(struct rf_graph *g, rf_value_id id, struct rf_error *err)
{
    return g->values[id].is_output ? RF_OK : rf_graph_output(g, id, err);
}

static enum rf_status keep_values(struct rf_graph *g, const struct rf_model_options *options,
                                  struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    for (size_t i = 0; i < options->n_keep && !rc; i++) {
        const rf_value_id id = rf_graph_find(g, options->keep[i]);

        if (id == RF_NO_VALUE || g->values[id].constant)
            rc = rf_fail(err, RF_NOT_FOUND, "no value is called %s", options->keep[i]);
        else
            rc = keep(g, id, err);
    }
    for (size_t i = 0; options->keep_activations && i < g->n_nodes && !rc; i++)
        if (g->nodes[i]->op->kind != RF_KIND_NONE)
            rc = keep(g, g->nodes[i]->out[0], err);
    return rc;
}

/* An output that is an input or a constant leaves as a copy of it. */
static enum rf_status copy_borrowed_outputs(struct rf_graph *g, struct rf_error *err)
{
    for (size_t i = 0; i < g->n_outputs; i++) {
        rf_value_id id = g->outputs[i], copy;

        if (!g->values[id].is_input && !g->values[id].constant)
            continue;
        const enum rf_status rc =
            rf_graph_op(g, "Identity", g->values[id].name, &id, 1, &copy, NULL, err);
        if (rc)
            return rc;
        g->values[id].is_output = false;
        g->values[copy].is_output = true;
        g->outputs[i] = copy;
    }
    return rf_graph_sort(g, err);
}

static enum rf_status run_passes(struct rf_graph *g, const struct rf_model_options *options,
                                 struct rf_error *err)
{
    static enum rf_status (*const passes[])(struct rf_graph *, struct rf_error *) = {
        rf_pass_identity, rf_pass_fold_norm, rf_pass_fuse_residual, rf_pass_fuse_activation};
    enum rf_status rc = RF_OK;

    for (size_t i = 0; i < sizeof(passes) / sizeof(*passes) && !options->no_fusion && !rc; i++)
        rc = passes[i](g, err);
    return rc ? rc : copy_borrowed_outputs(g, err);
}

/* ---- states ------------------------------------------------------------------------------------
 */

static enum rf_status check_attributes(struct rf_prepare *p, const struct rf_node *node)
{
    for (const struct rf_attr *a = node->attrs; a; a = a->next)
        if (!a->used)
            return rf_prepare_fail(p, RF_UNSUPPORTED, "%s has no attribute %s", node->op->name,
                                   a->name);
    return p->status;
}

static enum rf_status prepare_node(struct rf_model *model, size_t i, struct rf_error *err)
{
    struct rf_graph *const g = model->graph;
    struct rf_node *const node = g->nodes[i];
    struct rf_prepare p = {.graph = g, .node = node, .arena = &g->arena, .err = err};

    model->states[i] = rf_arena_alloc(&g->arena, node->op->state_bytes);
    if (!model->states[i])
        return rf_fail_nomem(err, node->name, node->op->state_bytes);
    enum rf_status rc = node->op->prepare(&p, model->states[i]);
    if (!rc)
        rc = check_attributes(&p, node);
    if (!rc && node->activation)
        rc = check_attributes(&p, node->activation);
    return rc;
}

static enum rf_status prepare_nodes(struct rf_model *model, struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    for (size_t i = 0; i < model->graph->n_nodes && !rc; i++)
        rc = prepare_node(model, i, err);
    return rc;
}

static enum rf_status pack_nodes(struct rf_model *model, struct rf_error *err)
{
    struct rf_graph *const g = model->graph;
    enum rf_status rc = RF_OK;

    for (size_t i = 0; i < g->n_nodes && !rc; i++) {
        struct rf_prepare p = {.graph = g, .node = g->nodes[i], .arena = &g->arena, .err = err};

        if (g->nodes[i]->op->pack)
            rc = g->nodes[i]->op->pack(&p, model->states[i]);
    }
    return rc;
}

/* Constants that operators only needed while loading. */
static void drop_constants(struct rf_graph *g)
{
    for (size_t v = 0; v < g->n_values; v++)
        g->values[v].n_uses = 0;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k] != RF_NO_VALUE && !(g->nodes[i]->op->const_in >> k & 1))
                g->values[g->nodes[i]->in[k]].n_uses++;
    for (size_t v = 0; v < g->n_values; v++)
        if (!g->values[v].n_uses)
            rf_graph_drop_constant(g, (rf_value_id)v);
}

/* ---- shapes and layouts ------------------------------------------------------------------------
 */

static void nominal_shapes(const struct rf_graph *g, struct rf_shape *shapes)
{
    for (size_t i = 0; i < g->n_inputs; i++) {
        shapes[i] = g->values[g->inputs[i]].shape;
        for (int k = 0; k < shapes[i].rank; k++)
            if (shapes[i].dim[k] < 0)
                shapes[i].dim[k] = NOMINAL_DIM;
    }
}

/* Values learn their shapes with every dimension of any size at its nominal one. */
static enum rf_status infer_values(struct rf_model *model, const struct rf_shape *shapes,
                                   struct rf_error *err)
{
    struct rf_graph *const g = model->graph;
    struct rf_tensor *const tensors = calloc(g->n_values + 1, sizeof(*tensors));

    if (!tensors)
        return rf_fail_nomem(err, "shapes", g->n_values * sizeof(*tensors));
    const enum rf_status rc = rf_infer_graph(model, shapes, tensors, NULL, err);
    for (size_t v = 0; v < g->n_values && !rc; v++) {
        if (g->values[v].is_input)
            continue; /* stays as declared */
        g->values[v].shape = tensors[v].shape;
        g->values[v].dtype = tensors[v].dtype;
    }
    free(tensors);
    return rc;
}

/* The layout pass makes new nodes and a new order; states follow their nodes. */
static enum rf_status lay_out(struct rf_model *model, struct rf_error *err)
{
    struct rf_graph *const g = model->graph;
    const size_t n = g->n_nodes;
    struct rf_node **const old = calloc(n + 1, sizeof(*old));
    void **const states = model->states;
    enum rf_status rc;

    if (!old)
        return rf_fail_nomem(err, "layout", n * sizeof(*old));
    memcpy(old, g->nodes, n * sizeof(*old));
    rc = rf_pass_layout(g, err);
    if (!rc) {
        model->states = rf_arena_array(&g->arena, g->n_nodes + 1, sizeof(*model->states));
        if (!model->states)
            rc = rf_fail_nomem(err, "states", g->n_nodes * sizeof(*states));
    }
    for (size_t i = 0; i < g->n_nodes && !rc; i++) {
        for (size_t k = 0; k < n; k++)
            if (old[k] == g->nodes[i])
                model->states[i] = states[k];
        if (!model->states[i])
            rc = prepare_node(model, i, err);
    }
    free(old);
    return rc;
}

/* ---- inputs, outputs, layers --------------------------------------------------------------------
 */

/* Dimensions that follow an input's open ones stay open: found by inferring with other sizes. */
static enum rf_status open_dimensions(struct rf_model *model, struct rf_shape *shapes,
                                      struct rf_tensor *tensors, struct rf_error *err)
{
    struct rf_graph *const g = model->graph;

    for (size_t i = 0; i < g->n_inputs; i++)
        if (shapes[i].rank && g->values[g->inputs[i]].shape.dim[0] < 0)
            shapes[i].dim[0] = 2;
    return rf_infer_graph(model, shapes, tensors, NULL, err);
}

static void declare(struct rf_io *io, const struct rf_value *v, const struct rf_tensor *other)
{
    *io = (struct rf_io){.name = v->name, .dtype = v->dtype, .shape = v->shape};
    for (int k = 0; other && k < io->shape.rank; k++)
        if (io->shape.dim[k] != other->shape.dim[k])
            io->shape.dim[k] = -1;
}

static enum rf_status declare_io(struct rf_model *model, const struct rf_tensor *open,
                                 struct rf_error *err)
{
    struct rf_graph *const g = model->graph;

    model->inputs = rf_arena_array(&g->arena, g->n_inputs + 1, sizeof(*model->inputs));
    model->outputs = rf_arena_array(&g->arena, g->n_outputs + 1, sizeof(*model->outputs));
    if (!model->inputs || !model->outputs)
        return rf_fail_nomem(err, "inputs and outputs", g->n_inputs * sizeof(*model->inputs));
    for (size_t i = 0; i < g->n_inputs; i++)
        declare(&model->inputs[i], &g->values[g->inputs[i]], NULL);
    for (size_t i = 0; i < g->n_outputs; i++)
        declare(&model->outputs[i], &g->values[g->outputs[i]], &open[g->outputs[i]]);
    model->n_outputs = g->n_outputs;
    return RF_OK;
}

static bool is_taken(const struct rf_model *model, const char *name, size_t n_before)
{
    for (size_t i = 0; i < n_before; i++)
        if (!strcmp(model->layers[i].name, name))
            return true;
    return false;
}

/* Earlier layers called `base`, alone or with a suffix. */
static size_t count_like(const struct rf_model *model, const char *base, size_t n_before)
{
    const size_t length = strlen(base);
    size_t n = 0;

    for (size_t i = 0; i < n_before; i++) {
        const char *const name = model->layers[i].name;

        n += !strncmp(name, base, length) && (name[length] == '\0' || name[length] == '#');
    }
    return n;
}

/* A name fit to show: of bounded length, without control bytes, not used before. */
static const char *layer_name(struct rf_model *model, const struct rf_node *node, size_t n_before)
{
    char base[RF_MAX_NAME + 1], name[RF_MAX_NAME + 1];

    if (*node->name)
        snprintf(base, sizeof(base), "%s", node->name);
    else
        snprintf(base, sizeof(base), "%s_%zu", node->op->name, n_before);
    for (char *c = base; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    snprintf(name, sizeof(name), "%s", base);
    /* As many copies as there are names alike: the search is over at once, or nearly so. */
    for (size_t copy = 1 + count_like(model, base, n_before); is_taken(model, name, n_before);
         copy++) {
        char suffix[24];
        const int n = snprintf(suffix, sizeof(suffix), "#%zu", copy);

        snprintf(name, sizeof(name), "%.*s%s", RF_MAX_NAME - n, base, suffix);
    }
    return rf_arena_strdup(&model->graph->arena, name);
}

static enum rf_status add_layer(struct rf_model *model, size_t node_index,
                                const struct rf_tensor *open, struct rf_error *err)
{
    struct rf_graph *const g = model->graph;
    const struct rf_node *const node = g->nodes[node_index];
    const struct rf_node *const activation = node->activation ? node->activation : node;
    const struct rf_value *const out = &g->values[node->out[0]];
    const struct rf_tensor as_tensor = {
        .dtype = out->dtype, .layout = out->layout, .shape = out->shape};
    struct rf_layer *const layer = &model->layers[model->n_layers];

    if (activation->op->kind == RF_KIND_NONE || !rf_tensor_has_pixels(&as_tensor) ||
        out->shape.dim[1] < 1)
        return RF_OK;
    *layer = (struct rf_layer){.type = activation->op->name,
                               .path = node->path,
                               .kind = activation->op->kind,
                               .shape.rank = out->shape.rank - 1,
                               .n_channels = (size_t)out->shape.dim[1],
                               .node = (int32_t)node_index,
                               .first = model->n_channels,
                               .needs_zero = !rf_node_is(activation, "Relu")};
    for (int k = 1; k < out->shape.rank; k++)
        layer->shape.dim[k - 1] =
            out->shape.dim[k] == open[node->out[0]].shape.dim[k] ? out->shape.dim[k] : -1;
    layer->name = layer_name(model, activation, model->n_layers);
    if (!layer->name)
        return rf_fail_nomem(err, "layer name", RF_MAX_NAME);
    model->n_channels += layer->n_channels;
    model->n_layers++;
    return RF_OK;
}

static enum rf_status find_layers(struct rf_model *model, const struct rf_tensor *open,
                                  struct rf_error *err)
{
    struct rf_graph *const g = model->graph;
    enum rf_status rc = RF_OK;

    model->layers = rf_arena_array(&g->arena, g->n_nodes + 1, sizeof(*model->layers));
    if (!model->layers)
        return rf_fail_nomem(err, "layers", g->n_nodes * sizeof(*model->layers));
    for (size_t i = 0; i < g->n_nodes && !rc && model->activity != RF_ACTIVITY_OFF; i++)
        rc = add_layer(model, i, open, err);
    model->retired = rf_arena_array(&g->arena, model->n_channels + 1, sizeof(*model->retired));
    if (!rc && !model->retired)
        rc = rf_fail_nomem(err, "counters", model->n_channels * sizeof(*model->retired));
    if (!rc)
        rf_channels_clear(model->retired, model->n_channels);
    return rc;
}

static enum rf_status describe(struct rf_model *model, struct rf_shape *shapes,
                               struct rf_error *err)
{
    struct rf_tensor *const open = calloc(model->graph->n_values + 1, sizeof(*open));

    if (!open)
        return rf_fail_nomem(err, "shapes", model->graph->n_values * sizeof(*open));
    enum rf_status rc = open_dimensions(model, shapes, open, err);
    if (!rc)
        rc = declare_io(model, open, err);
    if (!rc)
        rc = find_layers(model, open, err);
    free(open);
    return rc;
}

/* ---- the model ---------------------------------------------------------------------------------
 */

static enum rf_status finish(struct rf_model *model, const struct rf_model_options *options,
                             struct rf_shape *shapes, struct rf_error *err)
{
    struct rf_graph *const g = model->graph;
    enum rf_status rc = rf_graph_sort(g, err);

    if (!rc && !g->n_outputs)
        rc = rf_fail(err, RF_FORMAT, "the network has no output");
    if (!rc)
        rc = keep_values(g, options, err);
    if (rc)
        return rc;
    count_parameters(model);
    rc = run_passes(g, options, err);
    if (rc)
        return rc;
    model->states = rf_arena_array(&g->arena, g->n_nodes + 1, sizeof(*model->states));
    if (!model->states)
        return rf_fail_nomem(err, "states", g->n_nodes * sizeof(*model->states));
    rc = prepare_nodes(model, err);
    nominal_shapes(g, shapes);
    if (!rc)
        rc = infer_values(model, shapes, err);
    if (!rc)
        rc = lay_out(model, err);
    if (!rc)
        rc = pack_nodes(model, err);
    if (rc)
        return rc;
    drop_constants(g);
    return describe(model, shapes, err);
}

enum rf_status rf_model_new(struct rf_model **out, struct rf_graph *graph,
                            const struct rf_model_options *options, struct rf_error *err)
{
    static const struct rf_model_options defaults = {.activity = RF_ACTIVITY_CHANNEL};
    struct rf_model *const model = calloc(1, sizeof(*model));
    struct rf_shape *const shapes = calloc(graph->n_inputs + 1, sizeof(*shapes));
    enum rf_status rc;

    *out = NULL;
    if (!options)
        options = &defaults;
    if (!model || !shapes) {
        free(model);
        free(shapes);
        rf_graph_free(graph);
        return rf_fail_nomem(err, "model", sizeof(*model));
    }
    atomic_init(&model->refs, 1);
    pthread_mutex_init(&model->lock, NULL);
    model->graph = graph;
    model->activity = options->activity;
    model->max_session_bytes =
        options->max_session_bytes ? options->max_session_bytes : DEFAULT_SESSION_BYTES;
    model->kernels = rf_kernels_best();
    rc = finish(model, options, shapes, err);
    free(shapes);
    if (rc)
        rf_model_unref(model);
    else
        *out = model;
    return rc;
}

struct rf_model *rf_model_ref(struct rf_model *model)
{
    atomic_fetch_add(&model->refs, 1);
    return model;
}

void rf_model_unref(struct rf_model *model)
{
    if (!model || atomic_fetch_sub(&model->refs, 1) > 1)
        return;
    for (size_t i = 0; i < RF_MAX_PLANS; i++)
        rf_plan_unref(model->plans[i]);
    rf_graph_free(model->graph);
    pthread_mutex_destroy(&model->lock);
    free(model);
}

const char *rf_model_name(const struct rf_model *model)
{
    return model->graph->name;
}

size_t rf_model_n_inputs(const struct rf_model *model)
{
    return model->graph->n_inputs;
}

size_t rf_model_n_outputs(const struct rf_model *model)
{
    return model->n_outputs;
}

const struct rf_io *rf_model_input(const struct rf_model *model, size_t i)
{
    return &model->inputs[i];
}

const struct rf_io *rf_model_output(const struct rf_model *model, size_t i)
{
    return &model->outputs[i];
}

int64_t rf_model_parameters(const struct rf_model *model)
{
    return model->parameters;
}

const char *rf_engine_isa(void)
{
    return rf_kernels_best()->isa;
}

/* ---- plans -------------------------------------------------------------------------------------
 */

static enum rf_status check_shapes(const struct rf_model *model, const struct rf_shape *shapes,
                                   size_t n, struct rf_error *err)
{
    char want[RF_SHAPE_TEXT], got[RF_SHAPE_TEXT];
    int64_t numel;

    if (n != model->graph->n_inputs)
        return rf_fail(err, RF_INVALID, "expected %zu inputs, got %zu", model->graph->n_inputs, n);
    for (size_t i = 0; i < n; i++) {
        const struct rf_shape *const declared = &model->inputs[i].shape;
        bool fits = declared->rank == shapes[i].rank;

        for (int k = 0; fits && k < declared->rank; k++)
            fits = declared->dim[k] < 0 || declared->dim[k] == shapes[i].dim[k];
        if (!fits)
            return rf_fail(err, RF_SHAPE, "input %s: expected shape %s, got %s",
                           model->inputs[i].name, rf_shape_text(declared, want, sizeof(want)),
                           rf_shape_text(&shapes[i], got, sizeof(got)));
        if (!rf_shape_numel(&shapes[i], &numel))
            return rf_fail(err, RF_LIMIT, "input %s: shape %s is negative or too large",
                           model->inputs[i].name, rf_shape_text(&shapes[i], got, sizeof(got)));
    }
    return RF_OK;
}

/* Under the model's lock. */
static struct rf_plan *find_plan(struct rf_model *model, const struct rf_shape *shapes, size_t n)
{
    for (size_t i = 0; i < RF_MAX_PLANS; i++) {
        struct rf_plan *const plan = model->plans[i];
        bool same = plan != NULL;

        for (size_t k = 0; k < n && same; k++)
            same = rf_shape_equal(&plan->inputs[k], &shapes[k]);
        if (same) {
            plan->used = ++model->clock;
            atomic_fetch_add(&plan->refs, 1);
            return plan;
        }
    }
    return NULL;
}

/* Under the model's lock: in an empty place, or in that of the plan that was not asked for longest.
 */
static void remember_plan(struct rf_model *model, struct rf_plan *plan)
{
    size_t oldest = 0;

    for (size_t i = 0; i < RF_MAX_PLANS; i++) {
        if (!model->plans[i]) {
            oldest = i;
            break;
        }
        if (model->plans[i]->used < model->plans[oldest]->used)
            oldest = i;
    }
    rf_plan_unref(model->plans[oldest]);
    plan->used = ++model->clock;
    atomic_fetch_add(&plan->refs, 1);
    model->plans[oldest] = plan;
}

enum rf_status rf_model_plan(struct rf_model *model, const struct rf_shape *shapes, size_t n,
                             struct rf_plan **out, struct rf_error *err)
{
    enum rf_status rc = check_shapes(model, shapes, n, err);

    *out = NULL;
    if (rc)
        return rc;
    pthread_mutex_lock(&model->lock);
    *out = find_plan(model, shapes, n);
    pthread_mutex_unlock(&model->lock);
    if (*out)
        return RF_OK;
    /* Made without the lock: two sessions may make the same plan once, nobody waits for it. */
    rc = rf_plan_new(out, model, shapes, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&model->lock);
    remember_plan(model, *out);
    pthread_mutex_unlock(&model->lock);
    return RF_OK;
}

enum rf_status rf_model_inspect(struct rf_model *model, const struct rf_shape *shapes, size_t n,
                                void (*each)(void *arg, const struct rf_step_info *info), void *arg,
                                size_t *session_bytes, struct rf_error *err)
{
    struct rf_plan *plan;
    const enum rf_status rc = rf_model_plan(model, shapes, n, &plan, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const struct rf_step *const s = &plan->steps[i];
        const rf_value_id out = s->node->out[0];
        const struct rf_step_info info = {.name = s->node->activation ? s->node->activation->name
                                                                      : s->node->name,
                                          .path = s->node->path,
                                          .output = plan->tensors[out].shape,
                                          .parameters = s->node->parameters,
                                          .macs = s->macs,
                                          .slab_offset = plan->places[out].offset,
                                          .algorithm = s->algorithm};

        each(arg, &info);
    }
    *session_bytes = rf_plan_bytes(plan, 1);
    rf_plan_unref(plan);
    return RF_OK;
}
