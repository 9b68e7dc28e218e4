/* Graph -> immutable model: passes, layouts, packed weights; and the plans made for it. */
#include "core/model.h"

#include <stdlib.h>
#include <string.h>

#include "core/passes/passes.h"

#define DEFAULT_SESSION_BYTES ((size_t)4 << 30)

/* ---- parameters and kept values ---- */

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

/* A value, or the first output of a node. */
static rf_value_id find_kept(const struct rf_graph *g, const char *name)
{
    rf_value_id id = rf_graph_find(g, name);

    for (size_t i = 0; i < g->n_nodes && id == RF_NO_VALUE; i++)
        if (strcmp(g->nodes[i]->name, name) == 0)
            id = g->nodes[i]->out[0];
    return id;
}

static enum rf_status keep_values(struct rf_graph *g, const struct rf_model_options *options,
                                  struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    for (size_t i = 0; i < options->n_keep && !rc; i++) {
        const rf_value_id id = find_kept(g, options->keep[i]);

        if (id == RF_NO_VALUE || g->values[id].constant)
            rc = rf_fail(err, RF_NOT_FOUND, "no value or layer is called %s", options->keep[i]);
        else
            rc = keep(g, id, err);
    }
    return rc;
}

/* Once those that are spelt out are found, and none is fused. */
static enum rf_status keep_activations(struct rf_graph *g, struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    for (size_t i = 0; i < g->n_nodes && !rc; i++)
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

typedef enum rf_status pass_fn(struct rf_graph *, struct rf_error *);

static pass_fn *const passes[] = {
#define X(id, name) rf_pass_##name,
    RF_PASS_MAP(X)
#undef X
};

/* Passes [first, last) that are not switched off. */
static enum rf_status run_passes(struct rf_graph *g, const struct rf_model_options *options,
                                 int first, int last, struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    for (int i = first; i < last && !rc; i++)
        if (!(options->passes_off >> i & 1))
            rc = passes[i](g, err);
    return rc;
}

/* What passes made of nodes has variants, too. */
static void select_variants(struct rf_graph *g)
{
    for (size_t i = 0; i < g->n_nodes; i++)
        g->nodes[i]->op = rf_select(g, g->nodes[i]);
}

/* ---- weights ---- */

static enum rf_status pack_nodes(struct rf_model *model, struct rf_error *err)
{
    struct rf_graph *const g = model->graph;
    enum rf_status rc = RF_OK;

    for (size_t i = 0; i < g->n_nodes && !rc; i++) {
        struct rf_prepare p = {.graph = g, .node = g->nodes[i], .arena = &g->arena, .err = err};

        if (g->nodes[i]->op->pack && !g->nodes[i]->known)
            rc = g->nodes[i]->op->pack(&p, g->nodes[i]->state);
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
            if (g->nodes[i]->in[k] != RF_NO_VALUE &&
                (g->nodes[i]->known || !(g->nodes[i]->op->const_in >> k & 1)))
                g->values[g->nodes[i]->in[k]].n_uses++;
    for (size_t v = 0; v < g->n_values; v++)
        if (!g->values[v].n_uses)
            rf_graph_drop_constant(g, (rf_value_id)v);
}

/* ---- layouts ---- */

/* Conversions that the layout pass inserts are prepared like any node. */
static enum rf_status lay_out(struct rf_graph *g, struct rf_error *err)
{
    enum rf_status rc = rf_pass_layout(g, err);

    for (size_t i = 0; i < g->n_nodes && !rc; i++)
        if (!g->nodes[i]->state)
            rc = rf_prepare_node(g, i, err);
    return rc;
}

/* ---- the model ---- */

static enum rf_status optimise(struct rf_model *model, const struct rf_model_options *options,
                               struct rf_shape *nominal, struct rf_error *err)
{
    struct rf_graph *const g = model->graph;
    const struct rf_given given = {.shapes = nominal};
    enum rf_status rc = run_passes(g, options, 0, RF_PASS_FOLD_CONSTANTS + 1, err);

    if (!rc)
        rc = rf_settle_nominal(g, nominal, err);
    if (rc)
        return rc;
    count_parameters(model);
    rc = run_passes(g, options, RF_PASS_FOLD_CONSTANTS + 1, RF_PASS_FUSE_RESIDUAL, err);
    if (rc)
        return rc;
    select_variants(g);
    if (options->keep_activations)
        rc = keep_activations(g, err);
    if (!rc)
        rc = run_passes(g, options, RF_PASS_FUSE_RESIDUAL, RF_N_PASS, err);
    if (!rc)
        rc = copy_borrowed_outputs(g, err);
    if (!rc)
        rc = rf_settle(g, &given, err);
    return rc;
}

static enum rf_status finish(struct rf_model *model, const struct rf_model_options *options,
                             struct rf_shape *nominal, struct rf_error *err)
{
    struct rf_graph *const g = model->graph;
    enum rf_status rc = rf_graph_sort(g, err);

    if (!rc && !g->n_outputs)
        rc = rf_fail(err, RF_FORMAT, "the network has no output");
    if (!rc)
        rc = keep_values(g, options, err);
    if (!rc)
        rc = optimise(model, options, nominal, err);
    if (!rc)
        rc = lay_out(g, err);
    if (!rc)
        rc = pack_nodes(model, err);
    if (!rc)
        rc = rf_model_describe(model, options, nominal, err);
    drop_constants(g);
    return rc;
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
    model->max_session_bytes =
        options->max_session_bytes ? options->max_session_bytes : DEFAULT_SESSION_BYTES;
    graph->max_constant_bytes = model->max_session_bytes;
    graph->compact = options->compact;
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
    rf_record_release(&model->record);
    rf_feature_map_release(&model->features);
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

/* ---- plans ---- */

static enum rf_status check_inputs(const struct rf_model *model, const struct rf_given *given,
                                   size_t n, struct rf_error *err)
{
    const struct rf_shape *const shapes = given->shapes;
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
        if (model->inputs[i].is_key && numel > RF_MAX_KEY)
            return rf_fail(err, RF_LIMIT,
                           "input %s: shapes follow from its elements; at most %d may, got %lld",
                           model->inputs[i].name, RF_MAX_KEY, (long long)numel);
    }
    return RF_OK;
}

/* Input i of the plan is what is given. */
static bool is_given(const struct rf_model *model, const struct rf_plan *plan, size_t i,
                     const struct rf_given *given)
{
    const struct rf_io *const io = &model->inputs[i];
    const void *const key = io->is_key && given->values ? given->values[i] : NULL;

    if (!rf_shape_equal(&plan->inputs[i], &given->shapes[i]) || !key != !plan->keys[i])
        return false;
    return !key || !memcmp(plan->keys[i], key, rf_shape_bytes(&plan->inputs[i], io->dtype));
}

/* Under the model's lock. */
static struct rf_plan *find_plan(struct rf_model *model, const struct rf_given *given, size_t n)
{
    for (size_t i = 0; i < RF_MAX_PLANS; i++) {
        struct rf_plan *const plan = model->plans[i];
        bool same = plan != NULL;

        for (size_t k = 0; k < n && same; k++)
            same = is_given(model, plan, k, given);
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

enum rf_status rf_model_plan(struct rf_model *model, const struct rf_given *given, size_t n,
                             struct rf_plan **out, struct rf_error *err)
{
    enum rf_status rc = check_inputs(model, given, n, err);

    *out = NULL;
    if (rc)
        return rc;
    pthread_mutex_lock(&model->lock);
    *out = find_plan(model, given, n);
    pthread_mutex_unlock(&model->lock);
    if (*out)
        return RF_OK;
    /* Made without the lock: two sessions may make the same plan once, nobody waits for it. */
    rc = rf_plan_new(out, model, given, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&model->lock);
    remember_plan(model, *out);
    pthread_mutex_unlock(&model->lock);
    return RF_OK;
}

/* The values of a node that a run computes, or is given. */
static size_t list_values(const struct rf_plan *plan, const struct rf_graph *g,
                          const rf_value_id *ids, int n, struct rf_step_value *list)
{
    size_t n_listed = 0;

    for (int k = 0; k < n; k++) {
        const struct rf_value *const v = ids[k] == RF_NO_VALUE ? NULL : &g->values[ids[k]];

        if (!v || plan->places[ids[k]].kind == RF_PLACE_KNOWN || (v->producer < 0 && !v->is_input))
            continue;
        list[n_listed++] =
            (struct rf_step_value){.id = ids[k], .name = v->name, .is_output = v->is_output};
    }
    return n_listed;
}

enum rf_status rf_model_inspect(struct rf_model *model, const struct rf_shape *shapes, size_t n,
                                void (*each)(void *arg, const struct rf_step_info *info), void *arg,
                                size_t *session_bytes, struct rf_error *err)
{
    const struct rf_given given = {.shapes = shapes};
    struct rf_step_value inputs[RF_MAX_IN], outputs[RF_MAX_OUT];
    struct rf_plan *plan;
    const enum rf_status rc = rf_model_plan(model, &given, n, &plan, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const struct rf_step *const s = &plan->steps[i];
        const struct rf_node *const node = s->node;
        const rf_value_id out = node->out[0];
        const struct rf_step_info info = {
            .step = i,
            .name = node->activation ? node->activation->name : node->name,
            .path = node->path,
            .inputs = inputs,
            .outputs = outputs,
            .n_inputs = list_values(plan, model->graph, node->in, node->n_in, inputs),
            .n_outputs = list_values(plan, model->graph, node->out, node->n_out, outputs),
            .output = plan->tensors[out].shape,
            .parameters = node->parameters,
            .macs = s->macs,
            .slab_offset = plan->places[out].offset,
            .algorithm = s->algorithm};

        if (each && info.n_outputs > 0)
            each(arg, &info);
    }
    *session_bytes = rf_plan_bytes(plan, 1);
    rf_plan_unref(plan);
    return RF_OK;
}

size_t rf_model_bytes(const struct rf_model *model)
{
    const struct rf_graph *const g = model->graph;
    size_t bytes = rf_arena_bytes(&g->arena);

    for (size_t v = 0; v < g->n_values; v++)
        if (g->values[v].constant)
            bytes += rf_shape_bytes(&g->values[v].shape, g->values[v].dtype);
    return bytes;
}
